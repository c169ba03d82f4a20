"""Sockets that were reset pile up: in no socket table any more, and still a descriptor each."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.rules import Hit, growth_of

CODE, SEVERITY, WORD = "reset-sockets-grow", "problem", "leaks"
REMEDY = "Close the client of a connection that was reset: only this process can give the descriptor back."
REFERENCE = "#31599"


def check(evidence: Evidence) -> Hit | None:
    return growth_of(evidence, "reset sockets (descriptors in state CLOSE)", lambda sample: sample.unlisted)
