"""A request is reset before its headers once; the retry fails too, on a client that was closed."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge.retries import lost

REFERENCE = "#11070"
BAD = {"strategy": "buggy", "turns": 1, "retries": 2, "fault": "rst-before-headers:request=1"}
GOOD = {**BAD, "strategy": "fixed"}


def shows(evidence: Evidence) -> str:
    # Which of them the RST finds the client at is chance: it may still be sending its body.
    return lost(evidence, "connection lost while reading", "connection lost while writing", "cut by the provider")
