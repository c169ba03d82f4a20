"""A pooled connection whose peer has vanished is used again: the request waits for nothing."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import causes

REFERENCE = "#10933"
BAD = {
    "strategy": "buggy",
    "end": "abandon",
    "fault": "idle-vanish=0.05",
    "idle_close": None,
    "turns": 4,
    "timeout": 0.5,
}
GOOD = {**BAD, "strategy": "fixed", "end": "close"}


def shows(evidence: Evidence) -> str:
    waited = causes.by_cause(evidence.turns, "read timeout")
    return f"{len(waited)} of {len(evidence.turns)} turns waited for a peer that had vanished" if waited else ""
