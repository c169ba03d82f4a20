"""Which threads wait in a read of a TCP socket, and for how long (Linux).

/proc/PID/task/TID/syscall has the number of the system call in which a thread waits, and its arguments: of a read the
descriptor. Python waits for a socket that has a timeout in poll(), whose argument points to the descriptor in the
memory of the process. select() and epoll_wait() wait for many: that is an event loop, and no reader. The descriptor
may have been closed meanwhile and its number given to another file, so it is checked what the number is now.
"""

from __future__ import annotations

import contextlib
import os
import stat
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from hermes_diag.core import redact
from hermes_diag.core.sockets import ESTABLISHED, SocketRow
from hermes_diag.watch import descriptors, proc, process, tables
from hermes_diag.watch.records import Look, Missing, Process, Reader

_READ, _RECEIVE, _POLL, _AGAIN = "read", "receive", "poll", "again"
#: The system calls that wait for data of one descriptor. A poll() that was stopped and continued (SIGSTOP, a laptop
#: that slept) goes on as restart_syscall with the arguments that it had, and so do a few other calls.
_CALLS = {
    "x86_64": {0: _READ, 19: _READ, 45: _RECEIVE, 47: _RECEIVE, 299: _RECEIVE, 7: _POLL, 271: _POLL, 219: _AGAIN},
    "aarch64": {63: _READ, 65: _READ, 207: _RECEIVE, 212: _RECEIVE, 243: _RECEIVE, 73: _POLL, 128: _AGAIN},
}
_POLLED = struct.Struct("=ihh")  # struct pollfd: descriptor, events asked for, events that came
_POLLIN = 0x0001 | 0x0002 | 0x0040  # data, urgent data, normal data
#: Seconds by which a thread must have slept longer than a socket was silent before that tells anything: the kernel
#: counts the silence in steps of up to 10 ms.
_SLACK = 0.05
WHAT = "threads that wait in a read"


@dataclass(frozen=True)
class _Call:
    """A thread that waits for data of one descriptor."""

    pid: int
    tid: int
    how: str
    fd: int


def added(seen: Look) -> Look:
    """A look with the threads that wait in a read of one of its sockets, the longest wait first."""
    if not process.LINUX:
        return seen
    missing: list[Missing] = []
    found = [reader for one in seen.processes for reader in _of(one, seen, missing)]
    found.sort(key=lambda one: (-(one.seconds or 0.0), one.pid, one.tid))
    if found:
        from hermes_diag.watch import stacks  # takes time to import

        found, untold = stacks.joined(found)
        missing += untold
    return replace(seen, readers=tuple(found), missing=(*seen.missing, *missing))


def _of(one: Process, seen: Look, missing: list[Missing]) -> Iterator[Reader]:
    calls = _CALLS.get(os.uname().machine)
    cannot = "" if calls else f"the numbers of the system calls of {os.uname().machine} are not known to us"
    unread = 0
    try:
        for tid in map(int, os.listdir(f"/proc/{one.pid}/task")) if calls else ():
            try:
                call = _waits(one.pid, tid, calls or {})
                reader = _reader(call, seen) if call else None
            except _Unread:
                unread += 1
                continue
            except (FileNotFoundError, ProcessLookupError):
                if os.path.exists(f"/proc/{one.pid}/task/{tid}"):
                    cannot = "this kernel does not tell what a thread waits for"
                continue  # has ended
            if reader and call == _waits(one.pid, tid, calls or {}):  # it has not gone on meanwhile
                yield reader
    except PermissionError:
        cannot = "the kernel tells what a thread waits for only to who may trace the process"
    except OSError:  # the process has ended
        pass
    several = (one.threads or 1) > 1 and any(row.state == ESTABLISHED for row in (*seen.rows, *seen.unowned))
    if cannot and several:  # where there is one thread and no connection, nothing is missed
        missing.append(Missing(f"{WHAT} of process {one.pid}", cannot, process.more_rights()))
    if unread:
        why = f"{unread} wait in poll(), and the memory that says for which descriptor may not be read"
        missing.append(Missing(f"some {WHAT} of process {one.pid}", why, process.more_rights()))


class _Unread(Exception):
    """A thread waits in poll(), and for what cannot be seen."""


def _waits(pid: int, tid: int, calls: dict[int, str]) -> _Call | None:
    """For which descriptor a thread waits, if it waits for one. Raises OSError, _Unread."""
    with open(f"/proc/{pid}/task/{tid}/syscall", "rb") as file:
        number, first, second = proc.call(file.read())
    how = calls.get(number)
    if how is None:
        return None
    if how in (_READ, _RECEIVE):
        return _Call(pid, tid, how, first & 0xFFFFFFFF)
    if second != 1:  # how many descriptors
        return None
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            fd, events, _ = _POLLED.unpack(os.pread(memory.fileno(), _POLLED.size, first))
    except (OSError, OverflowError, struct.error):
        if how == _AGAIN:
            return None  # it was no poll()
        raise _Unread from None
    return _Call(pid, tid, _POLL, fd) if events & _POLLIN and fd >= 0 else None


def _reader(call: _Call, seen: Look) -> Reader | None:
    """What a thread reads, if it is a TCP socket or was closed. Raises OSError when the thread has ended."""
    waited = _waited(call)
    row, closed = None, False
    try:
        target = os.readlink(f"/proc/{call.pid}/fd/{call.fd}")
    except FileNotFoundError:
        closed = os.path.exists(f"/proc/{call.pid}/task/{call.tid}")
    else:
        if descriptors.is_socket(target):
            row = _row(call, target, seen)
            if row is None or row.state == "LISTEN":
                return None  # no TCP socket, or left out by a filter; or the thread waits for a connection
        elif not _never_waits(call):
            return None
        closed = row is None
    silent = None if row is None or row.silent_ms is None else row.silent_ms / 1000
    if row is not None and _reads_another(call, row, waited, silent, seen):
        row, closed, silent = None, True, None
    if closed:
        remote = _lost(seen)
    else:
        assert row is not None
        remote = row.remote
    with open(f"/proc/{call.pid}/task/{call.tid}/comm", encoding="utf-8", errors="replace") as file:
        name = redact.name(file.read().strip())
    return Reader(call.pid, call.tid, name, call.fd, closed, remote, waited, silent)


def _row(call: _Call, target: str, seen: Look) -> SocketRow | None:
    for row in seen.rows:
        if row.inode is None:
            if (row.pid, row.fd) == (call.pid, call.fd):
                return row
        elif descriptors.socket_text(row.inode) == target:
            return row
    return None


def _reads_another(call: _Call, row: SocketRow, waited: float | None, silent: float | None, seen: Look) -> bool:
    """Whether a thread has slept for longer than the socket was silent that has its number now.

    Data that came to this socket, or its beginning, would have woken its reader. So the thread reads another one, whose
    descriptor had this number before. The age in the look is older than the wait, so that it is asked for again.
    """
    if waited is None or silent is None or waited <= silent + _SLACK:
        return False
    rows = tables.load(seen.backend).table((row.state,), port=row.remote[1], info=True, pid=call.pid)
    now = next((one.silent_ms for one in rows if one.inode == row.inode), None)
    again = _waited(call)  # less, if it was woken meanwhile
    return now is not None and again is not None and again >= waited > now / 1000 + _SLACK


def _never_waits(call: _Call) -> bool:
    """Whether nobody can wait so for what has the number now: then the number was another file's."""
    if call.how == _RECEIVE:
        return True  # of sockets only
    return call.how == _POLL and stat.S_ISREG(os.stat(f"/proc/{call.pid}/fd/{call.fd}").st_mode)


def _lost(seen: Look) -> tuple[str, int] | None:
    """The remote of the sockets that nobody holds and a thread still reads, if they all have the same."""
    remotes = {row.remote for row in seen.unowned if row.state in (ESTABLISHED, "CLOSE_WAIT")}
    return remotes.pop() if len(remotes) == 1 else None


def _waited(call: _Call) -> float | None:
    """For how long a thread has slept at least: since it last ran. None where the kernel was built without that.

    The time is of the clock of the processor on which it ran. Those of two processors differ, so that we ask on the
    same one what time it is.
    """
    task = f"/proc/{call.pid}/task/{call.tid}"
    with open(f"{task}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()  # from the third field on
    if len(fields) < 37 or not (fields[36].isdigit() and fields[19].isdigit()):
        return None
    ran = _last_ran(f"{task}/sched")
    allowed = os.sched_getaffinity(0)
    now = None
    with contextlib.suppress(OSError):  # this processor is not for us
        os.sched_setaffinity(0, {int(fields[36])})
        now = _last_ran("/proc/thread-self/sched")
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, allowed)
    lives = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return None if ran is None or now is None else max(0.0, min(now - ran, lives))


def _last_ran(path: str) -> float | None:
    try:
        with open(path, "rb") as file:
            for line in file:
                if line.startswith(b"se.exec_start"):
                    return float(line.rpartition(b":")[2]) / 1000
    except (FileNotFoundError, PermissionError, ValueError):
        pass
    return None
