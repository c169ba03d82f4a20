"""A close in this process, another session's release, takes the socket of a stream being read."""

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.sockets import ESTABLISHED
from hermes_diag.judge import causes
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "stream-killed", "problem", "fails"
REMEDY = "Close only what a turn opened: with a pool of its own no other session's stream can be on it."
REFERENCE = "#11070"


def check(evidence: Evidence) -> Hit | None:
    turns = causes.by_cause(evidence.turns, causes.FD_CLOSED)
    if not turns:
        return None
    ownerless = max((sample.ownerless(ESTABLISHED) for sample in evidence.barriers), default=0)
    return Hit(
        f"{units.count(len(turns), 'stream')} lost the socket to a close in this process while being read"
        + (f"; meanwhile {units.count(ownerless, 'ESTABLISHED socket')} had no owner" if ownerless else ""),
        {"streams": len(turns), "ownerless_established": ownerless},
        tuple(map(causes.name, turns)),
    )
