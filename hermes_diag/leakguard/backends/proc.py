"""By /proc and sock_diag: Linux. The KEY of a socket is its inode."""

from __future__ import annotations

import contextlib
import os
import platform
import threading
from collections.abc import Collection, Mapping

from hermes_diag.core.errors import CannotMeasure
from hermes_diag.core.sockets import SocketRow
from hermes_diag.leakguard.backends import NOWHERE, Place, cure
from hermes_diag.watch import process
from hermes_diag.watch.descriptors import TCP, protocol, sockets, targets
from hermes_diag.watch.tables import proc_net, sock_diag

REUSES_KEYS = False

#: All but what is left of closed connections, which no process holds: a busy host has thousands of them.
_STATES = sock_diag.STATES.keys() - {"TIME_WAIT", "SYN_RECV_NEW"}

#: Numbers of system calls: those in which a thread waits for a lock, a clock or an epoll, which keep no socket open
#: (futex, epoll_wait, epoll_pwait, nanosleep, clock_nanosleep); and those that wait for several descriptors (poll,
#: ppoll, select, pselect6). All others that wait for a socket have its descriptor as their first argument.
_CALLS = {
    "x86_64": (("202", "232", "281", "35", "230"), ("7", "271", "23", "270", "running")),
    "aarch64": (("98", "22", "101", "115"), ("73", "72", "running")),
}

_fstat = os.fstat  # called in an audit hook, while a test may have replaced it


def descriptors() -> dict[int, str]:
    """But for those through which a thread lists descriptors at this moment, as psutil does: nobody keeps such a one.

    Raises CannotMeasure where /proc cannot be read."""
    try:
        lists = f"/proc/{os.getpid()}/fd"
        return {number: target for number, target in targets("self").items() if target != lists}
    except OSError as exc:
        raise CannotMeasure(f"/proc/self/fd cannot be read: {exc.strerror}", cure(exc)) from None


def children() -> dict[int, dict[int, int]]:
    found: dict[int, dict[int, int]] = {}
    try:
        os.waitid(
            os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT
        )  # which takes nothing, and says whether there is one
    except ChildProcessError:
        return found
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


def rows(suspects: Mapping[int, Place], had: Collection[int] = ()) -> dict[int, SocketRow]:
    """Also of sockets that nobody has a descriptor of, as long as the kernel knows them."""
    if all(fd is None for _, fd in suspects.values()) and not _a_thread_may_wait(had):
        return {}
    table = _table()
    found = {}
    for inode, (holder, fd) in suspects.items():
        row = table.get(inode) or (_unlisted(holder, fd, inode) if fd is not None else None)
        if row is not None:
            found[inode] = row
    return found


def _a_thread_may_wait(fds: Collection[int]) -> bool:
    """Whether a thread may wait in a socket that is closed and had one of these descriptors: for it the kernel keeps
    the socket open. Cheaper than the table."""
    me, idle, several = threading.get_native_id(), *_CALLS.get(platform.machine(), ((), ()))
    try:
        for task in os.listdir("/proc/self/task"):
            if int(task) == me:
                continue
            with open(f"/proc/self/task/{task}/syscall") as file:
                call, *given = file.read().split()[:2]
            if call in idle or (idle and call not in several and given and int(given[0], 16) not in fds):
                continue
            return True
    except (OSError, ValueError):
        return True
    return False


def _table() -> dict[int, SocketRow]:
    """inode -> row of every TCP socket of this network namespace."""
    try:
        try:
            table = sock_diag.table(_STATES)
        except OSError:  # containers may refuse it
            table = proc_net.table()
    except OSError as exc:
        raise CannotMeasure(f"no socket table: {exc.strerror}", cure(exc)) from None
    return {row.inode: row for row in table if row.inode}


def _unlisted(holder: int | None, fd: int | None, inode: int) -> SocketRow:
    """A socket that is in no TCP table, by its protocol; a TCP one was reset, or never connected."""
    name = protocol(holder or "self", str(fd)) or "socket"
    return SocketRow("CLOSE" if name == TCP else name, NOWHERE, NOWHERE, inode=inode)
