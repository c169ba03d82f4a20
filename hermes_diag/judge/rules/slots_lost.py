"""The pool counts connections as taken that nobody has: no socket of them is open."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import causes
from hermes_diag.judge.rules import Hit
from hermes_diag.judge.rules.pool_exhausted import slots_lost

CODE, SEVERITY, WORD = "slots-lost", "problem", "starves"
REMEDY = "Take an httpx whose pool gives back what a cancelled connect had (httpcore2 2.6), or a new client after one."
REFERENCE = ""


def check(evidence: Evidence) -> Hit | None:
    turns = causes.by_cause(evidence.turns, causes.POOL_TIMEOUT)
    if not turns or not slots_lost(evidence):
        return None
    if evidence.pools and all(one.without_socket == one.failed_tunnels for one in evidence.pools):
        return None  # by tunnels whose TLS failed, each of them: a finding of its own (tunnels_kept.py)
    taken = evidence.facts["exhausted"]["taken"]
    return Hit(
        f"{len(turns)} of {len(evidence.turns)} attempts got no connection of a pool that counts {taken} as taken, and "
        "the process had not one TCP connection: a connect that was cancelled, or failed, kept its place",
        {"attempts": len(turns), "taken": taken},
        tuple(map(causes.name, turns)),
    )
