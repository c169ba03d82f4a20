"""Descriptors that are no sockets towards the provider pile up with the turns."""

from hermes_diag.core.evidence import Evidence, Sample
from hermes_diag.judge.rules import Hit, count_grows

CODE, SEVERITY, WORD = "descriptors-grow", "problem", "leaks"
REMEDY = "Look at what they are with `hermes-diag sockets`, which counts files and databases by kind."
REFERENCE = "#96027, #31599"

#: Growth in each turn above which it is not just a file that was opened once.
LEAST = 0.25


def check(evidence: Evidence) -> Hit | None:
    return count_grows(evidence, "descriptors other than sockets to the provider", _others, LEAST, held="others")


def _others(sample: Sample) -> int | None:
    if sample.fds is None or sample.unlisted is None:
        return None
    return sample.fds - sum(sample.owned.values()) - sample.unlisted
