"""An idle pool holds one CLOSE_WAIT socket; it does not grow, and is no leak."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.sockets import CLOSE_WAIT

REFERENCE = "#11070"
BAD = {"strategy": "buggy", "end": "abandon", "turns": 8}
GOOD = {"turns": 8}


def shows(evidence: Evidence) -> str:
    counts = [sample.states.get(CLOSE_WAIT, 0) for sample in evidence.idle()]
    constant = counts and min(counts) == max(counts) > 0
    return f"{counts[0]} CLOSE_WAIT in each of {len(counts)} idle gaps" if constant else ""
