"""One look at a worker: states towards its provider, descriptors, threads, memory."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections import Counter
from collections.abc import Collection
from types import ModuleType

import psutil

from hermes_diag.errors import CannotMeasure, UsageError
from hermes_diag.model import ESTABLISHED, Sample, SocketRow
from hermes_diag.sampling.backends import psutil_table, sock_diag

BACKENDS: dict[str, ModuleType] = {"sock_diag": sock_diag, "psutil": psutil_table}


def choose(name: str = "auto") -> ModuleType:
    """The backend of that name, or the fastest that works here. Raises UsageError."""
    if name == "auto":
        return next(backend for backend in BACKENDS.values() if not backend.available())
    why = BACKENDS[name].available()
    if why:
        raise UsageError(f"--backend {name}: {why}", "use --backend psutil, or leave it to auto")
    return BACKENDS[name]


def see(backend: ModuleType) -> None:
    """Prove on a connection of our own that the backend sees what is there.

    A sampler that sees nothing would call every client clean. Raises CannotMeasure.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()[:2]
        with socket.create_connection(address) as client:
            try:
                rows = backend.look([os.getpid()], address)
            except (OSError, psutil.Error) as exc:
                raise CannotMeasure(f"no socket table: {type(exc).__name__}", "try the other --backend") from None
            mine = [row for row in rows if row.local == client.getsockname()[:2] and row.pid == os.getpid()]
    if [row.state for row in mine] != [ESTABLISHED]:
        raise CannotMeasure("the socket table does not show a connection that is open", "try the other --backend")


def sample(rows: list[SocketRow], pid: int, at: float, late: float, label: str, turns: int) -> Sample:
    """A Sample of now from rows just taken. Raises psutil.Error when the process is gone."""
    process = psutil.Process(pid)
    fds = threads = rss = None
    with contextlib.suppress(psutil.AccessDenied), process.oneshot():
        fds, threads, rss = process.num_fds(), process.num_threads(), process.memory_info().rss
    return Sample(
        at=at,
        late=late,
        label=label,
        turns=turns,
        states=dict(Counter(row.state for row in rows)),
        owned=dict(Counter(row.state for row in rows if row.pid == pid)),
        keepalive=_keepalive([row for row in rows if row.pid == pid and row.state == ESTABLISHED]),
        unlisted=unlisted(pid, {row.inode for row in rows}),
        fds=fds,
        threads=threads,
        rss=rss,
    )


def _keepalive(rows: list[SocketRow]) -> int | None:
    """Sockets whose keepalive timer runs; None when the backend does not know timers."""
    if any(row.keepalive is None for row in rows):
        return None
    return sum(bool(row.keepalive) for row in rows)


def unlisted(pid: int, seen: Collection[int | None] = ()) -> int | None:
    """TCP file descriptors whose socket is in no TCP table: reset sockets, in state CLOSE.

    seen: inodes known to be in a table, which spares looking them up.

    Linux only (the kernel names a socket's protocol as an extended attribute); elsewhere, or when
    the process is not ours to see, None.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        inodes = sock_diag.socket_inodes(pid)
        suspects = {inode for fd, inode in inodes.items() if inode not in seen and _is_tcp(pid, fd)}
        if suspects:
            suspects -= {row.inode for row in sock_diag.look([])}
    except OSError:
        return None
    return len(suspects)


def _is_tcp(pid: int, fd: int) -> bool:
    try:
        name = os.getxattr(f"/proc/{pid}/fd/{fd}", "system.sockprotoname")
    except OSError:
        return False
    return name.rstrip(b"\0") in (b"TCP", b"TCPv6")
