"""No connection of the pool comes free, so that a request never gets one."""

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import causes
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "pool-exhausted", "problem", "starves"
REMEDY = "Close each stream and its client at the end of the turn, also of one that is interrupted or cancelled."
REFERENCE = "#11070"


def check(evidence: Evidence) -> Hit | None:
    if starved := causes.starved(evidence):
        held = max(pool.connections - pool.idle for pool in evidence.pools)
        return Hit(
            "the last turn, the only one that the provider would have answered, got no connection: all places of the "
            f"pool, which all clients share, are held by {units.count(held, 'stream')} that "
            f"{'was' if held == 1 else 'were'} given up",
            {"attempts": len(starved), "pool": held},
            tuple(map(causes.name, starved)),
        )
    turns = causes.by_cause(evidence.turns, causes.POOL_TIMEOUT)
    if not turns or slots_lost(evidence):
        return None
    limits = {client.serial: client.max_connections for client in evidence.clients}
    limit = max((value for value in limits.values() if value), default=0)
    seen = evidence.facts.get("exhausted", {})
    words = f"the pool has {limit}" if limit else "how many the pool has cannot be seen from here"
    if seen:
        words += (
            f" and counts {seen['taken']} as taken; the process has {units.count(seen['sockets'], 'TCP connection')}"
        )
    # A turn of the user's own has clients, and timeouts, that nobody saw.
    wait = evidence.cell.pool_timeout if evidence.clients else round(min(turn.ms for turn in turns) / 1000, 1)
    return Hit(
        f"{len(turns)} of {len(evidence.turns)} attempts waited {wait:g} s for a connection and got none: {words}",
        {"attempts": len(turns), "pool": limit, "first_turn": turns[0].turn},
        tuple(map(causes.name, turns)),
    )


def slots_lost(evidence: Evidence) -> bool:
    """Whether the pool counted connections as taken of which not one was open."""
    seen = evidence.facts.get("exhausted", {})
    return bool(seen.get("taken")) and seen.get("sockets") == 0
