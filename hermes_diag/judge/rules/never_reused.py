"""Clients are kept, and yet each turn opens a connection of its own."""

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "never-reused", "note", ""
REMEDY = "Keep one client for many turns, and read each stream to its end: what is left unread is closed, not pooled."
REFERENCE = ""

#: Roles of clients that outlive a turn.
_KEPT = ("pooled", "singleton")
#: With fewer turns chance may look like it.
ENOUGH = 4


def check(evidence: Evidence) -> Hit | None:
    """The provider closes what is idle between rounds: only what the client itself closed counts."""
    turns = [turn for turn in evidence.turns if turn.outcome == "ok"]
    if len(turns) < ENOUGH or len(turns) < len(evidence.turns) or not _keeps(evidence):
        return None
    used = [one for one in evidence.connections if one.requests]
    if len(used) < len(turns) or any(one.requests > 1 or one.closed_first != "client" for one in used):
        return None
    return Hit(
        f"{units.count(len(turns), 'turn')} opened {units.count(len(used), 'connection')}, and the client "
        "closed each after its turn: a stream that was not read to its end, a client per call, or no keep-alive",
        {"turns": len(turns), "connections": len(used)},
    )


def _keeps(evidence: Evidence) -> bool:
    """Whether clients outlive a turn; a turn of the user's own might keep one."""
    kept = [client for client in evidence.clients if client.role in _KEPT]
    return bool(kept) or (not evidence.clients and bool(evidence.cell.factory))
