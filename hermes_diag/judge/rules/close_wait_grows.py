"""CLOSE_WAIT sockets pile up: growth over idle gaps, never their mere presence."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.sockets import CLOSE_WAIT
from hermes_diag.judge.rules import Hit, state_grows

CODE, SEVERITY, WORD = "close-wait-grows", "problem", "leaks"
REMEDY = "Whoever takes a request client must close it: the peer has closed, only this process can let go."
REFERENCE = "#11070, #18451"


def check(evidence: Evidence) -> Hit | None:
    return state_grows(evidence, CLOSE_WAIT)
