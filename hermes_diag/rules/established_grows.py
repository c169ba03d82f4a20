"""Idle ESTABLISHED connections pile up: the same leak while the provider has not closed its side."""

from hermes_diag import trend
from hermes_diag.model import ESTABLISHED, Evidence
from hermes_diag.rules import Hit

CODE, SEVERITY, WORD = "established-grows", "problem", "leaks"
REMEDY = "Close each request client at the end of its turn; an open provider side only hides the leak."
REFERENCE = "#61979"


def check(evidence: Evidence) -> Hit | None:
    points = [(sample.turns, sample.states.get(ESTABLISHED, 0)) for sample in evidence.idle()]
    if not trend.grows(points):
        return None
    return Hit(
        f"ESTABLISHED grew from {points[0][1]} to {points[-1][1]} over {len(points)} idle gaps, "
        f"{trend.per_turn(points):.2f} a turn",
        {"first": points[0][1], "last": points[-1][1], "gaps": len(points), "per_turn": trend.per_turn(points)},
    )
