"""Abandoned streams use up the pool until no request gets a connection."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import causes

REFERENCE = "#11070"
BAD = {"strategy": "buggy", "end": "abandon", "workload": "interrupted", "turns": 101}
GOOD = {"strategy": "fixed", "end": "close", "workload": "interrupted", "turns": 101}


def shows(evidence: Evidence) -> str:
    starved = causes.by_cause(evidence.turns, causes.POOL_TIMEOUT)
    return f"turn {starved[0].turn} got no connection" if starved else ""
