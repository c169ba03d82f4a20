"""By /proc and sock_diag: Linux. The KEY of a socket is its inode."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping

from hermes_diag.core.errors import CannotMeasure
from hermes_diag.core.sockets import SocketRow
from hermes_diag.leakguard.backends import NOWHERE, Place, cure
from hermes_diag.watch import process
from hermes_diag.watch.descriptors import TCP, protocol, sockets, targets
from hermes_diag.watch.tables import proc_net, sock_diag

REUSES_KEYS = False

_fstat = os.fstat  # called in an audit hook, while a test may have replaced it


def descriptors() -> dict[int, str]:
    """Raises CannotMeasure where /proc cannot be read."""
    try:
        return targets("self")
    except OSError as exc:
        raise CannotMeasure(f"/proc/self/fd cannot be read: {exc.strerror}", cure(exc)) from None


def children() -> dict[int, dict[int, int]]:
    found = {}
    for pid in process.descendants(os.getpid()):
        with contextlib.suppress(OSError):  # ended, or not ours to see
            found[pid] = sockets(targets(pid))
    return found


def threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 2


def key(fd: int) -> int | None:
    return _fstat(fd).st_ino


def rows(suspects: Mapping[int, Place]) -> dict[int, SocketRow]:
    """Also of sockets that nobody has a descriptor of, as long as the kernel knows them."""
    table = _table()
    found = {}
    for inode, (holder, fd) in suspects.items():
        row = table.get(inode) or (_unlisted(holder, fd, inode) if fd is not None else None)
        if row is not None:
            found[inode] = row
    return found


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
    name = protocol(holder or "self", str(fd)) or "socket"
    return SocketRow("CLOSE" if name == TCP else name, NOWHERE, NOWHERE, inode=inode)
