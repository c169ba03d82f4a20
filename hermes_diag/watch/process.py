"""What the system says of a process: identity, threads, memory, limits, descendants.

On Linux /proc is read, elsewhere (or when forced) psutil is asked; both give the same numbers. Nothing
is attached to, signalled or written to.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from functools import cache
from typing import NamedTuple

from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.watch import portable as by_psutil
from hermes_diag.watch import proc
from hermes_diag.watch.records import Process
from hermes_diag.watch.refused import CAPABLE as CAPABLE
from hermes_diag.watch.refused import Ended as Ended
from hermes_diag.watch.refused import NotAllowed as NotAllowed
from hermes_diag.watch.refused import is_root
from hermes_diag.watch.refused import more_rights as more_rights
from hermes_diag.watch.refused import not_allowed as not_allowed
from hermes_diag.watch.refused import ourselves as ourselves

LINUX = sys.platform.startswith("linux")

_KERNEL_THREAD = 0x00200000  # PF_KTHREAD
_ENDED = "ZX"
#: States of a process that can do nothing until it is told to go on: by a signal, by a debugger.
STOPPED = "Tt"
#: For a system whose /proc is another one.
PORTABLE = "--set backend=psutil does without it"


def stat(pid: int | str) -> proc.Stat:
    """Read /proc/PID/stat, also of a thread: PID/task/TID. Raises Ended, CannotMeasure."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            line = file.read()
        return proc.stat(line)
    except (FileNotFoundError, ProcessLookupError):
        raise Ended(f"process {pid} has ended") from None
    except (ValueError, IndexError):
        raise CannotMeasure(f"/proc/{pid}/stat cannot be read: it is not as proc(5) says", PORTABLE) from None


def check(pid: int, portable: bool = not LINUX) -> None:
    """Refuse what can have no sockets that we may see. Raises UsageError, Ended or NotAllowed."""
    if pid <= 0:
        raise UsageError(f"{pid} is no process", "give the PID of one process, a number above 0")
    if portable:
        by_psutil.check(pid)
        return
    if not os.path.exists("/proc/self/stat"):
        raise CannotMeasure(
            "/proc is not mounted here", "mount -t proc proc /proc, or use --set backend=psutil elsewhere"
        )
    try:
        seen = stat(pid)
    except Ended:
        raise _absent(pid) from None
    if seen.flags & _KERNEL_THREAD:
        raise CannotMeasure(
            f"process {pid} ({seen.name}) is a kernel thread: it has no descriptors",
            "give the PID of the program itself",
        )
    try:
        alive = living(pid).number
    except Ended:
        raise Ended(
            f"process {pid} ({seen.name}) is a zombie: it has ended and its sockets with it",
            f"only its parent, process {seen.parent}, can still clear it away",
        ) from None
    leader = _thread_leader(pid)
    if leader != pid:
        raise UsageError(f"{pid} is a thread of process {leader}", f"use --pid {leader}")
    try:
        os.listdir(f"/proc/{alive}/fd")
    except PermissionError:
        raise not_allowed(pid) from None
    except FileNotFoundError:
        raise Ended(f"process {pid} has ended") from None


def facts(pid: int, portable: bool = not LINUX) -> Process:
    """Everything but the kinds of descriptors. Raises Ended or NotAllowed."""
    if portable:
        return by_psutil.facts(pid)
    return _facts(pid, living(pid))


def facts_under(pid: int) -> tuple[Process, int]:
    """The same on Linux, and the number under which /proc shows its descriptors."""
    alive = living(pid)
    return _facts(pid, alive), alive.number


def _facts(pid: int, alive: Living) -> Process:
    return Process(
        pid=pid,
        name=alive.main.name,
        started=_boot() + alive.main.ticks / os.sysconf("SC_CLK_TCK"),
        threads=alive.main.threads,
        rss=alive.stat.rss,
        fds=None,
        soft_limit=_soft_limit(pid),
        stopped=alive.stat.state in STOPPED,
    )


class Living(NamedTuple):
    """A process that lives. number: its PID, or where its main thread has ended and others live, the number of one of
    these: /proc shows under it what it shows no more under the PID. main: of the PID; stat: of the number."""

    number: int
    main: proc.Stat
    stat: proc.Stat


def living(pid: int) -> Living:
    """Raises Ended."""
    main = stat(pid)
    if main.state not in _ENDED:
        return Living(pid, main, main)
    with contextlib.suppress(OSError):
        for tid in sorted(map(int, os.listdir(f"/proc/{pid}/task"))):
            with contextlib.suppress(Ended):
                seen = stat(f"{pid}/task/{tid}")
                if seen.state not in _ENDED:
                    return Living(tid, main, seen)
    raise Ended(f"process {pid} has ended")


def identity(pid: int, portable: bool = not LINUX) -> float:
    """A number that tells this process from a later one with the same PID. Raises Ended."""
    if not portable:
        return living(pid).main.ticks
    import psutil

    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        raise Ended(f"process {pid} has ended") from None


def descendants(pid: int, portable: bool = not LINUX) -> list[int]:
    """PIDs of all children and their children, in the order of their PIDs."""
    if portable or not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):  # gVisor has no such file
        import psutil

        try:
            return sorted(child.pid for child in psutil.Process(pid).children(recursive=True))
        except psutil.Error:
            return []
    found = [pid]
    for parent in found:  # which grows
        with contextlib.suppress(OSError):  # has ended
            for task in os.listdir(f"/proc/{parent}/task"):
                found += children_of(parent, task)
    return sorted(found[1:])


def children_of(pid: int | str, task: int | str) -> list[int]:
    """PIDs of the children that a thread of a process has started, the last one last (Linux)."""
    try:
        with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
            return [int(child) for child in file.read().split()]
    except (OSError, ValueError):
        return []


def other_namespace(pid: int, than: int | str = "self") -> bool:
    """Whether the process lives in another network namespace than we, or that one, do (Linux; elsewhere False)."""
    if not LINUX:
        return False
    try:
        return os.readlink(f"/proc/{pid}/ns/net") != os.readlink(f"/proc/{than}/ns/net")
    except OSError:
        return False


def _absent(pid: int) -> CannotMeasure:
    """Why /proc has no folder of that PID: there is no such process, or /proc hides it."""
    try:
        os.getpgid(pid)  # asks, and sends nothing
    except (ProcessLookupError, OverflowError):
        return Ended(f"there is no process {pid}", "pgrep -f hermes lists candidates; --gateway finds a Hermes gateway")
    except PermissionError:
        pass
    return NotAllowed(
        f"process {pid} exists, but /proc hides it (mounted with hidepid)",
        CAPABLE if is_root() else f"sudo {ourselves()} sockets {pid}, or run as its user",
    )


def _thread_leader(pid: int) -> int:
    with contextlib.suppress(ValueError), open(f"/proc/{pid}/status", "rb") as file:
        for line in file:
            if line.startswith(b"Tgid:"):
                return int(line[5:])
    return pid


def _soft_limit(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:
            return proc.soft_limit(file)
    except (OSError, ValueError, IndexError):
        return None


@cache
def _boot() -> float:
    """When the clock of start times began, seconds since the epoch."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
