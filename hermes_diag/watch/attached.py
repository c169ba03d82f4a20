"""What a process that was asked (`sockets --attach`) says about its descriptors and pools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hermes_diag.core import redact
from hermes_diag.core.text import one_line


@dataclass(frozen=True)
class Holder:
    """Who holds one descriptor: the way from a name that a person knows down to the object that has it."""

    pid: int
    fd: int
    kind: str  # the type of the object that has the descriptor
    #: What the way begins with: module, class, function, local, task, thread, context, generator, traceback, loop (only
    #: the event loop has it), cycle, unseen (nothing that Python shows) or unfinished (the walk was stopped).
    root: str
    chain: tuple[str, ...]


@dataclass(frozen=True)
class PoolSeen:
    """One pool of connections. limit: None where there is none."""

    pid: int
    kind: str
    root: str
    chain: tuple[str, ...]
    limit: int | None
    used: int
    idle: int
    queued: int
    lost: int  # places that are taken, and no open socket is behind them


@dataclass(frozen=True)
class Attached:
    """All that one walk found. why: "" if it is complete, else what stopped it: "time" or "large"."""

    pid: int
    pause: float  # seconds that the main thread stood still
    blocks: int  # of memory that its objects take; an object of the collector is two or three
    complete: bool
    why: str
    frozen: int  # objects that gc.freeze() hides from the walk
    holders: tuple[Holder, ...]
    pools: tuple[PoolSeen, ...]


def read(pid: int, found: dict[str, Any], pause: float) -> Attached:
    """What the walk wrote. Raises ValueError, KeyError, TypeError or AttributeError where it is not
    that."""
    why = str(found.get("refused") or found["why"])
    return Attached(
        pid=pid,
        pause=pause,
        blocks=int(found.get("blocks", 0)),
        complete=not why,
        why=why,
        frozen=int(found.get("frozen", 0)),
        holders=tuple(
            Holder(pid, int(fd), _shown(kind), _shown(root), tuple(map(_shown, chain)))
            for fd, kind, root, chain in found.get("holders", ())
        ),
        pools=tuple(
            PoolSeen(pid, _shown(kind), _shown(root), tuple(map(_shown, chain)), limit, *map(int, counts))
            for kind, root, chain, limit, *counts in found.get("pools", ())
        ),
    )


def _shown(text: str) -> str:
    """A way may lead through the keys of a dict, which can be anything."""
    return redact.name(one_line(text))
