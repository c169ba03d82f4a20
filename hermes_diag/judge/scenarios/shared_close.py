"""The end of one session's turn cuts the streams that other sessions are reading."""

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import causes

REFERENCE = "#11070"
BAD = {"strategy": "buggy", "workload": "overlapping", "sessions": 3, "scope": "gateway", "turns": 2}
GOOD = {**BAD, "strategy": "fixed"}


def shows(evidence: Evidence) -> str:
    cut = causes.by_cause(evidence.turns, causes.FD_CLOSED)
    return f"{units.count(len(cut), 'stream')} lost the socket while being read" if cut else ""
