"""One look at a worker, as the rules want it: all sockets towards its provider, whoever has them.

An Observer tells what a process holds, and of the rest what is surely nobody's. Here the port is our own, so
that whatever goes to it counts, and each look is made from nothing: a count must be the same in every run.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from types import ModuleType

import psutil

from hermes_diag.core.errors import CannotMeasure
from hermes_diag.core.evidence import Sample
from hermes_diag.core.sockets import ESTABLISHED, SocketRow
from hermes_diag.watch import process, tables
from hermes_diag.watch.descriptors import Descriptors


def see(backend: ModuleType) -> None:
    """Prove on a connection of our own that the backend sees what is there.

    A sampler that sees nothing would call every client clean. Raises CannotMeasure.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()[:2]
        with socket.create_connection(address) as client:
            try:
                found = rows(backend, os.getpid(), address)
            except (OSError, psutil.Error) as exc:
                raise CannotMeasure(f"no socket table: {type(exc).__name__}", "try another --set backend") from None
            mine = [row for row in found if row.local == client.getsockname()[:2] and row.pid == os.getpid()]
    if [row.state for row in mine] != [ESTABLISHED]:
        raise CannotMeasure("the socket table does not show a connection that is open", "try another --set backend")


def rows(backend: ModuleType, pid: int, remote: tuple[str, int]) -> list[SocketRow]:
    """TCP sockets towards an (address, port), those of `pid` with pid and fd. Raises OSError."""
    found = [row for row in backend.table(port=remote[1], pid=pid) if row.remote == remote]
    if not backend.KNOWS_INODES:
        return [row if row.pid == pid else row._replace(pid=None, fd=None) for row in found]
    fds = _descriptors(pid, found).inodes
    return [row.owned_by(pid, fds[row.inode]) if row.inode in fds else row for row in found]


def sample(
    found: list[SocketRow], backend: ModuleType, pid: int, at: float, late: float, label: str, turns: int
) -> Sample:
    """A Sample of now from rows just taken. Raises process.Ended or NotAllowed."""
    seen = process.facts(pid)
    fds, unlisted = _fds(found, backend, pid) if process.LINUX else (seen.fds, None)
    return Sample(
        at=at,
        late=late,
        label=label,
        turns=turns,
        states=dict(Counter(row.state for row in found)),
        owned=dict(Counter(row.state for row in found if row.pid == pid)),
        keepalive=_keepalive([row for row in found if row.pid == pid and row.state == ESTABLISHED]),
        unlisted=unlisted,
        fds=fds,
        threads=seen.threads,
        rss=seen.rss,
    )


def _keepalive(rows: list[SocketRow]) -> int | None:
    """Sockets whose keepalive timer runs; None when the backend does not know timers."""
    if any(row.keepalive is None for row in rows):
        return None
    return sum(bool(row.keepalive) for row in rows)


def _fds(found: list[SocketRow], backend: ModuleType, pid: int) -> tuple[int | None, int | None]:
    """File descriptors, and those of TCP sockets that are in no table: reset ones, in state CLOSE.

    None is what cannot be seen.
    """
    try:
        known = _descriptors(pid, found)
        closed = set(known.closed().values())
        return known.count, len(closed - tables.inodes(backend, pid)) if closed else 0
    except OSError:
        return None, None


def _descriptors(pid: int, found: list[SocketRow]) -> Descriptors:
    known = Descriptors(pid)
    known.refresh({row.inode for row in found if row.inode})
    return known
