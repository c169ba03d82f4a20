"""A stream is cut once; the retry fails too, on a client that the first attempt closed."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge.retries import lost

REFERENCE = "#11070"
BAD = {"strategy": "buggy", "turns": 1, "retries": 2, "fault": "fin-mid-stream:request=1"}
GOOD = {**BAD, "strategy": "fixed"}


def shows(evidence: Evidence) -> str:
    return lost(evidence, "cut by the provider")
