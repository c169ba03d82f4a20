"""A client is used again whose event loop was closed."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import causes
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "closed-loop-reused", "problem", "fails"
REMEDY = "Build an async client in the event loop that uses it, and close it there; or keep one loop for all turns."
REFERENCE = ""


def check(evidence: Evidence) -> Hit | None:
    turns = causes.by_cause(evidence.turns, causes.LOOP_CLOSED)
    if not turns:
        return None
    return Hit(
        f"{len(turns)} of {len(evidence.turns)} attempts failed on a client whose event loop was closed",
        {"attempts": len(turns), "first_turn": turns[0].turn},
        tuple(map(causes.name, turns)),
    )
