"""A request is sent on a client that was closed before."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import causes
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "closed-transport-reused", "problem", "fails"
REMEDY = "Never hand out a transport that another owner may close; a closed httpx client stays closed for good."
REFERENCE = "#11070"


def check(evidence: Evidence) -> Hit | None:
    turns = causes.by_cause(evidence.turns, causes.CLIENT_CLOSED)
    if not turns:
        return None
    return Hit(
        f"{len(turns)} of {len(evidence.turns)} attempts failed on a closed client",
        {"attempts": len(turns), "first_turn": turns[0].turn},
        tuple(map(causes.name, turns)),
    )
