"""Idle ESTABLISHED connections pile up: the same leak while the provider has not closed its side."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.sockets import ESTABLISHED
from hermes_diag.judge.rules import Hit, state_grows

CODE, SEVERITY, WORD = "established-grows", "problem", "leaks"
REMEDY = "Close each request client at the end of its turn; an open provider side only hides the leak."
REFERENCE = "#61979"


def check(evidence: Evidence) -> Hit | None:
    return state_grows(evidence, ESTABLISHED)
