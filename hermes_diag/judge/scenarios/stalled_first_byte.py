"""The first byte never comes once; the retry fails too, on a client that was closed."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge.retries import lost

REFERENCE = "#13834"
BAD = {"strategy": "buggy", "turns": 1, "retries": 2, "timeout": 0.5, "fault": "stall-before-headers=60:request=1"}
GOOD = {**BAD, "strategy": "fixed"}


def shows(evidence: Evidence) -> str:
    return lost(evidence, "read timeout")
