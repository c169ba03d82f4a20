"""From the second turn on every request fails on a client that was closed."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import causes

REFERENCE = "#11070"
BAD = {"strategy": "buggy"}
GOOD: dict[str, str] = {}


def shows(evidence: Evidence) -> str:
    failed = causes.by_cause(evidence.turns, causes.CLIENT_CLOSED)
    return f"{len(failed)} of {len(evidence.turns)} turns failed on a closed client" if failed else ""
