"""ESTABLISHED sockets whose descriptor is closed pile up: a thread still reads from each."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.sockets import ESTABLISHED
from hermes_diag.judge.rules import Hit, count_grows

CODE, SEVERITY, WORD = "ownerless-grows", "problem", "leaks"
REMEDY = "Shut a socket down before another thread closes it: its reader then wakes up and leaves."
REFERENCE = "#11070"


def check(evidence: Evidence) -> Hit | None:
    return count_grows(evidence, "ESTABLISHED sockets without an owner", lambda sample: sample.ownerless(ESTABLISHED))
