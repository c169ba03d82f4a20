"""Whether a retry helps after a failure of the provider. Pure."""

from __future__ import annotations

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import causes


def lost(evidence: Evidence, *kinds: str) -> str:
    """The first attempt failed for one of those causes, every retry on a closed client; "" if one got through."""
    first = [turn for turn in evidence.turns if turn.attempt == 1 and turn.outcome == "error"]
    cause = next((causes.of(turn) for turn in first if causes.of(turn) in kinds), "")
    if not cause:
        return ""
    retries = [turn for turn in evidence.turns if turn.attempt > 1]
    failed = causes.by_cause(tuple(retries), causes.CLIENT_CLOSED)
    if not retries or len(failed) < len(retries):
        return ""
    return f"{cause}, then {len(failed)} of {len(retries)} retries on a closed client"
