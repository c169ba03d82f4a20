"""No connection of the pool comes free, so that a request never gets one."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import causes
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "pool-exhausted", "problem", "starves"
REMEDY = "Close each stream and its client at the end of the turn, also an interrupted one."
REFERENCE = "#11070"


def check(evidence: Evidence) -> Hit | None:
    turns = causes.by_cause(evidence.turns, causes.POOL_TIMEOUT)
    if not turns:
        return None
    limits = {client.serial: client.max_connections for client in evidence.clients}
    limit = max((value for value in limits.values() if value), default=0)
    return Hit(
        f"{len(turns)} of {len(evidence.turns)} attempts waited {evidence.cell.pool_timeout:g} s for a connection and "
        f"got none: all {limit} of the pool were taken by streams that nobody closed",
        {"attempts": len(turns), "pool": limit, "first_turn": turns[0].turn},
        tuple(map(causes.name, turns)),
    )
