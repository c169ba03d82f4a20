"""A client kept for each turn: CLOSE_WAIT sockets grow with every turn."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.sockets import CLOSE_WAIT
from hermes_diag.judge import growth

REFERENCE = "#18451, #62175"
BAD = {"end": "abandon", "workload": "interrupted", "turns": 12}
GOOD = {"end": "close", "workload": "interrupted", "turns": 12}


def shows(evidence: Evidence) -> str:
    points = [(sample.turns, sample.states.get(CLOSE_WAIT, 0)) for sample in evidence.idle()]
    if not growth.grows(points):
        return ""
    return f"CLOSE_WAIT grew from {points[0][1]} to {points[-1][1]} in {len(points)} idle gaps"
