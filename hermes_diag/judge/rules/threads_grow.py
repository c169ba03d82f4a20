"""Threads pile up with the turns."""

from dataclasses import replace

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.text import quoted
from hermes_diag.judge.rules import Hit, count_grows

CODE, SEVERITY, WORD = "threads-grow", "problem", "leaks"
REMEDY = (
    "End what was started: shut an executor down, stop an event loop's thread, wake the reader of a stream that was "
    "given up (shut its socket down) and have it close the client."
)
REFERENCE = "#11070"

#: Growth in each turn above which it is not just a background thread that was started once.
LEAST = 0.25


def check(evidence: Evidence) -> Hit | None:
    hit = count_grows(evidence, "threads", lambda sample: sample.threads, LEAST, held="threads")
    names: list[tuple[str, int]] = evidence.facts.get("threads", [])
    if hit is None or not names:
        return hit
    said = ", ".join(f"{count} named {quoted(name)}" for name, count in names)
    return replace(hit, summary=f"{hit.summary}; more than before the first turn: {said}")
