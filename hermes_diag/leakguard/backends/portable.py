"""By /dev/fd and psutil: everywhere but on Linux. The KEY of a socket is its descriptor: other systems show no inode.

Limits: a socket that no descriptor leads to any more is not seen; one that only a duplicate or a child holds
is found without the line that opened it; of children only connections count; and a socket of C code may be
given the line of a closed one whose descriptor it got.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from hermes_diag.core.errors import CannotMeasure
from hermes_diag.core.sockets import SocketRow
from hermes_diag.leakguard.backends import NOWHERE, Place, cure
from hermes_diag.watch.descriptors import socket_text

REUSES_KEYS = True

_fstat = os.fstat  # called in an audit hook, while a test may have replaced it

#: Above what a descriptor may be: KEYs of children are made of their pid and the descriptor.
_CHILD = 32


def descriptors() -> dict[int, str]:
    """Raises CannotMeasure where /dev/fd cannot be read."""
    try:
        names = os.listdir("/dev/fd")
    except OSError as exc:
        raise CannotMeasure(f"/dev/fd cannot be read: {exc.strerror}", cure(exc)) from None
    found = {}
    for fd in map(int, names):
        with contextlib.suppress(OSError):  # that of the listing itself
            found[fd] = _target(fd)
    return found


def _target(fd: int) -> str:
    seen = os.fstat(fd)
    if stat.S_ISSOCK(seen.st_mode):
        return socket_text(fd)
    if sys.platform == "darwin":
        import fcntl

        with contextlib.suppress(OSError):  # only files have a path
            return os.fsdecode(fcntl.fcntl(fd, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))
    kind = "pipe" if stat.S_ISFIFO(seen.st_mode) else "file" if stat.S_ISREG(seen.st_mode) else "device"
    return f"{kind}:[{seen.st_dev}.{seen.st_ino}]"


def children() -> dict[int, dict[int, int]]:
    """What a child inherited and this process has too is this process's."""
    import psutil

    me = psutil.Process()
    offspring = me.children(recursive=True)
    if not offspring:
        return {}
    own = {(one.laddr, one.raddr) for one in me.net_connections("inet")}
    found = {}
    for child in offspring:
        with contextlib.suppress(psutil.Error):  # ended, or not ours to see
            theirs = [one for one in child.net_connections("inet") if one.raddr and one.fd >= 0]
            found[child.pid] = {
                child.pid << _CHILD | one.fd: one.fd for one in theirs if (one.laddr, one.raddr) not in own
            }
    return found


def threads() -> int:
    return 2


def key(fd: int) -> int | None:
    return fd if stat.S_ISSOCK(_fstat(fd).st_mode) else None


def rows(suspects: Mapping[int, Place], had: Collection[int] = ()) -> dict[int, SocketRow]:
    found: dict[int, SocketRow] = {}
    for holder in {holder for holder, _ in suspects.values() if holder is not None}:
        found.update((number, row) for number, row in _rows(holder) if number in suspects)
    for number, (place, fd) in suspects.items():
        if place == 0 and fd is not None and number not in found:
            with contextlib.suppress(OSError):  # closed meanwhile
                found[number] = SocketRow(_unlisted(fd), NOWHERE, NOWHERE, inode=number)
    return found


def _rows(holder: int) -> Iterator[tuple[int, SocketRow]]:
    import psutil

    try:
        connections = psutil.Process(holder or None).net_connections("all")
    except psutil.Error as exc:
        if holder:  # has ended
            return
        raise CannotMeasure(f"no socket table: {type(exc).__name__}", "run with --limit-sockets=off") from None
    for one in connections:
        number = holder << _CHILD | one.fd if holder else one.fd
        yield number, SocketRow(_state(one), _address(one.laddr), _address(one.raddr), inode=number)


def _state(connection: Any) -> str:
    if connection.family == socket.AF_UNIX:
        return "UNIX"
    return str(connection.status) if connection.type == socket.SOCK_STREAM else "UDP"


def _address(given: Any) -> tuple[str, int]:
    return (given.ip, given.port) if hasattr(given, "ip") else NOWHERE


def _unlisted(fd: int) -> str:
    """The state of a socket that psutil does not show: one of TCP was reset, or never connected."""
    with socket.socket(fileno=os.dup(fd)) as copy:
        if copy.family == getattr(socket, "AF_UNIX", None):
            return "UNIX"
        return "CLOSE" if copy.type == socket.SOCK_STREAM else "UDP"
