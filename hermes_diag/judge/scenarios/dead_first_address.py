"""The first of two addresses is dead: each new connection waits for it before it tries the second."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import Conditions

REFERENCE = "#13834"
BAD = {"turns": 2, "timeout": 1.0, "conditions": Conditions(dead=True)}
GOOD = {**BAD, "conditions": Conditions(dead=True, connect=0.3)}


def shows(evidence: Evidence) -> str:
    waits = [turn.first_event_ms for turn in evidence.turns if turn.first_event_ms is not None]
    if len(waits) < len(evidence.turns) or not waits or min(waits) < 1000 * evidence.cell.timeout:
        return ""
    return f"every turn waited at least {min(waits):.0f} ms for an address that does not answer"
