"""Sockets that were reset pile up: in no socket table any more, and still a descriptor each."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge.rules import Hit, count_grows

CODE, SEVERITY, WORD = "reset-sockets-grow", "problem", "leaks"
REMEDY = "Close the client of a connection that was reset: only this process can give the descriptor back."
REFERENCE = "#31599"


def check(evidence: Evidence) -> Hit | None:
    return count_grows(evidence, "reset sockets (descriptors in state CLOSE)", lambda sample: sample.unlisted)
