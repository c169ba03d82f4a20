"""The client under test hangs for longer than its own timeouts allow."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "worker-hung", "problem", "hangs"
REMEDY = "Look at the innermost frames of the stack; a lock held in the pool needs a pool per request client."
REFERENCE = "#11070"


def check(evidence: Evidence) -> Hit | None:
    if evidence.outcome.how != "hung":
        return None
    innermost = next((frame for frame in evidence.outcome.frames if frame != "thread"), "")
    return Hit(
        f"{evidence.outcome.detail}; it stands in {innermost or 'a place that gave no stack'}",
        {"turns_done": len(evidence.turns)},
    )
