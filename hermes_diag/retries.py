"""Whether a retry brings a turn back after a failure of the provider's. Pure."""

from __future__ import annotations

from hermes_diag import causes
from hermes_diag.model import Evidence


def lost(evidence: Evidence, cause: str) -> str:
    """The first attempt failed for that cause and every retry on a closed client; "" if one got through."""
    first = [turn for turn in evidence.turns if turn.attempt == 1 and turn.outcome == "error"]
    if not any(causes.of(turn) == cause for turn in first):
        return ""
    retries = [turn for turn in evidence.turns if turn.attempt > 1]
    failed = causes.by_cause(tuple(retries), causes.CLIENT_CLOSED)
    if not retries or len(failed) < len(retries):
        return ""
    return f"{cause}, then {len(failed)} of {len(retries)} retries on a closed client"
