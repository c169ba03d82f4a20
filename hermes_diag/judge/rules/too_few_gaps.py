"""Sockets are left in idle gaps, but there are too few gaps to tell growth from presence."""

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.sockets import CLOSE_WAIT, ESTABLISHED
from hermes_diag.judge import growth
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "too-few-gaps", "note", "too short"
REMEDY = f"Run at least {growth.ENOUGH} turns: a healthy idle pool holds a CLOSE_WAIT socket too."
REFERENCE = "#7213"


def check(evidence: Evidence) -> Hit | None:
    gaps = evidence.idle()
    if not gaps or len(gaps) >= growth.ENOUGH:
        return None
    left = max(sample.states.get(CLOSE_WAIT, 0) + sample.states.get(ESTABLISHED, 0) for sample in gaps)
    if not left:
        return None
    return Hit(
        f"up to {units.were(left, 'socket')} left in {units.count(len(gaps), 'idle gap')}; {growth.ENOUGH} gaps tell "
        "whether they grow",
        {"gaps": len(gaps), "left": left},
    )
