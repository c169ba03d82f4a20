"""CLOSE_WAIT sockets pile up: growth over idle gaps, never their mere presence."""

from hermes_diag import trend
from hermes_diag.model import CLOSE_WAIT, Evidence
from hermes_diag.rules import Hit

CODE, SEVERITY, WORD = "close-wait-grows", "problem", "leaks"
REMEDY = "Whoever takes a request client must close it: the peer has closed, only this process can let go."
REFERENCE = "#11070, #18451"


def check(evidence: Evidence) -> Hit | None:
    points = [(sample.turns, sample.states.get(CLOSE_WAIT, 0)) for sample in evidence.idle()]
    if not trend.grows(points):
        return None
    per_turn = trend.per_turn(points)
    return Hit(
        f"CLOSE_WAIT grew from {points[0][1]} to {points[-1][1]} over {len(points)} idle gaps, {per_turn:.2f} a turn",
        {"first": points[0][1], "last": points[-1][1], "gaps": len(points), "per_turn": per_turn},
    )
