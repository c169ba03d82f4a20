"""A snapshot of a worker for the rules: all sockets towards its provider, whoever holds them.

An Observer also has to find out which of the other sockets nobody holds. Here the port is our own provider's, so that
every socket towards it counts; and nothing is kept from one snapshot to the next, so that counts are the same in every
run.

The socket table and the list of descriptors are two questions to the system, and a busy process opens and closes
in between. So the descriptors are read before and after the table: where both agree, the table is of that
moment, too. A process that never rests is taken as it was at the last reading: a socket counts as owned only if its
descriptor is in there, so that a sample never has more sockets than descriptors.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from types import ModuleType

import psutil

from hermes_diag.core.errors import CannotMeasure
from hermes_diag.core.evidence import Moved, Sample
from hermes_diag.core.sockets import ESTABLISHED, SocketRow
from hermes_diag.watch import descriptors, process, tables

#: How often the table is asked for at most until the descriptors are the same before and after it.
TRIES = 5


@dataclass(frozen=True)
class Snapshot:
    """rows: TCP sockets towards the addresses asked for, those of the process with pid and fd.

    fds: descriptors of the process. unlisted: its TCP sockets that are in no table (state CLOSE). None: not seen.
    """

    rows: list[SocketRow]
    fds: int | None
    unlisted: int | None


class Moves:
    """Compares each snapshot of a cell with the one before."""

    def __init__(self) -> None:
        self._states: dict[int, str] = {}  # by local port

    def since(self, seen: Snapshot, at: float) -> Moved | None:
        """The sockets that are in another state now; None: all are as they were. at: seconds since the cell began."""
        now = {row.local[1]: row.state for row in seen.rows}
        to: dict[str, list[int]] = {}
        for port, state in now.items():
            if self._states.get(port) != state:
                to.setdefault(state, []).append(port)
        if gone := sorted(self._states.keys() - now.keys()):
            to[""] = gone
        self._states = now
        return Moved(at, {state: tuple(ports) for state, ports in to.items()}) if to else None


def see(backend: ModuleType) -> None:
    """Prove on a connection of our own that the backend sees what is there.

    A table without any sockets would call every client clean. Raises CannotMeasure.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()[:2]
        with socket.create_connection(address) as client:
            try:
                found = take(backend, os.getpid(), [address]).rows
            except (OSError, psutil.Error) as exc:
                raise CannotMeasure(f"no socket table: {type(exc).__name__}", "try another --set backend") from None
            mine = [row for row in found if row.local == client.getsockname()[:2] and row.pid == os.getpid()]
    if [row.state for row in mine] != [ESTABLISHED]:
        raise CannotMeasure("the socket table does not show a connection that is open", "try another --set backend")


def take(backend: ModuleType, pid: int, remotes: Collection[tuple[str, int]], tries: int = TRIES) -> Snapshot:
    """Look at the sockets towards `remotes`, all of one port. Raises OSError when the system refuses."""
    port = next(port for _, port in remotes)
    after = _targets(pid)
    for _ in range(tries):
        before = after
        rows = [row for row in backend.table(port=port, pid=pid) if row.remote in remotes]
        after = _targets(pid)
        if before == after:
            break
    if after is None:
        return Snapshot([_of(row, pid, row.pid == pid, row.fd) for row in rows], None, None)
    fds = descriptors.sockets(after)
    if not backend.KNOWS_INODES:
        held = set(fds.values())
        rows = [_of(row, pid, row.pid == pid and row.fd in held, row.fd) for row in rows]
    else:
        rows = [_of(row, pid, row.inode in fds, fds.get(row.inode or 0)) for row in rows]
    return Snapshot(rows, len(after), _unlisted(backend, pid, fds, {row.inode for row in rows}))


def sample(seen: Snapshot, pid: int, at: float, late: float, label: str, turns: int) -> Sample:
    """A Sample from a Snapshot just taken. Raises process.Ended or NotAllowed."""
    facts = process.facts(pid)
    return Sample(
        at=at,
        late=late,
        label=label,
        turns=turns,
        states=dict(Counter(row.state for row in seen.rows)),
        owned=dict(Counter(row.state for row in seen.rows if row.pid == pid)),
        keepalive=_keepalive([row for row in seen.rows if row.pid == pid and row.state == ESTABLISHED]),
        unlisted=seen.unlisted,
        fds=facts.fds if seen.fds is None else seen.fds,
        threads=facts.threads,
        rss=facts.rss,
    )


def _targets(pid: int) -> dict[int, str] | None:
    """What each descriptor points to; None where the system does not say it. Raises OSError."""
    return descriptors.targets(pid) if process.LINUX else None


def _of(row: SocketRow, pid: int, owned: bool, fd: int | None) -> SocketRow:
    """A row as the process's, or as nobody's."""
    return row.owned_by(pid, fd) if owned else row._replace(pid=None, fd=None)


def _unlisted(backend: ModuleType, pid: int, fds: dict[int, int], listed: set[int | None]) -> int | None:
    """How many TCP sockets with a descriptor are in no table."""
    suspects = {
        inode for inode, fd in fds.items() if inode not in listed and descriptors.protocol(pid, fd) == descriptors.TCP
    }
    try:
        return len(suspects - tables.inodes(backend, pid)) if suspects else 0
    except OSError:
        return None


def _keepalive(rows: list[SocketRow]) -> int | None:
    """Sockets whose keepalive timer runs; None when the backend does not know timers."""
    if any(row.keepalive is None for row in rows):
        return None
    return sum(bool(row.keepalive) for row in rows)
