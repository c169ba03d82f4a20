"""By /proc and sock_diag: Linux. The KEY of a socket is its inode."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Mapping

from hermes_diag.core.errors import CannotMeasure
from hermes_diag.core.sockets import SocketRow
from hermes_diag.leakguard.backends import NOWHERE, Place, cure, sockets_of
from hermes_diag.watch.tables import proc_net, sock_diag

REUSES_KEYS = False


def descriptors() -> dict[int, str]:
    """Raises CannotMeasure where /proc cannot be read."""
    try:
        return _targets("self")
    except OSError as exc:
        raise CannotMeasure(f"/proc/self/fd cannot be read: {exc.strerror}", cure(exc)) from None


def children() -> dict[int, dict[int, int]]:
    found = {}
    for pid in _descendants("self"):
        with contextlib.suppress(OSError):  # ended, or not ours to see
            found[pid] = sockets_of(_targets(str(pid)))
    return found


def newest_child() -> int | None:
    pids = list(_children_of("self", str(threading.get_native_id())))
    return pids[-1] if pids else None


def key(fd: int) -> int | None:
    return os.fstat(fd).st_ino


def rows(suspects: Mapping[int, Place]) -> dict[int, SocketRow]:
    """Also of sockets that nobody has a descriptor of, as long as the kernel knows them."""
    table = _table()
    found = {}
    for inode, (holder, fd) in suspects.items():
        row = table.get(inode) or (_unlisted(holder, fd, inode) if fd is not None else None)
        if row is not None:
            found[inode] = row
    return found


def _targets(pid: str) -> dict[int, str]:
    folder = f"/proc/{pid}/fd"
    found = {}
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            found[int(name)] = os.readlink(f"{folder}/{name}")
    return found


def _descendants(pid: str) -> Iterable[int]:
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    for task in tasks:
        for child in _children_of(pid, task):
            yield child
            yield from _descendants(str(child))


def _children_of(pid: str, task: str) -> Iterable[int]:
    """Those that a thread has started, the last one last."""
    try:
        with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
            return list(map(int, file.read().split()))
    except OSError:
        return []


def _table() -> dict[int, SocketRow]:
    """inode -> row of every TCP socket of this network namespace."""
    try:
        try:
            table = sock_diag.table()
        except OSError:  # containers may refuse it
            table = proc_net.table()
    except OSError as exc:
        raise CannotMeasure(f"no socket table: {exc.strerror}", cure(exc)) from None
    return {row.inode: row for row in table if row.inode}


def _unlisted(holder: int | None, fd: int | None, inode: int) -> SocketRow:
    """A socket that is in no TCP table, by its protocol; a TCP one was reset, or never connected."""
    try:
        raw = os.getxattr(f"/proc/{holder or 'self'}/fd/{fd}", "system.sockprotoname")
    except OSError:
        raw = b"socket"
    name = raw.rstrip(b"\0").decode("ascii", "replace")
    state = "CLOSE" if name in ("TCP", "TCPv6") else name.partition("-")[0]  # UNIX-STREAM
    return SocketRow(state, NOWHERE, NOWHERE, inode=inode)
