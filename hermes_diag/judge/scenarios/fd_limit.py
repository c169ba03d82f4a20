"""Leaked sockets use up the descriptors: no request can open one any more."""

import errno

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import Conditions

REFERENCE = "#36899"
BAD = {"end": "abandon", "workload": "interrupted", "turns": 40, "conditions": Conditions(nofile=20)}
GOOD = {**BAD, "end": "close"}


def shows(evidence: Evidence) -> str:
    failed = [turn for turn in evidence.turns if turn.errno == errno.EMFILE]
    return f"from turn {failed[0].turn} on: too many open files" if failed else ""
