"""What the system says of a process: identity, threads, memory, limits, descendants.

On Linux /proc is read, elsewhere (or when forced) psutil is asked; both give the same numbers. Nothing
is attached to, signalled or written to.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
import time
from functools import cache

from hermes_diag.core import redact
from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.watch import proc
from hermes_diag.watch.records import Process

LINUX = sys.platform.startswith("linux")

_KERNEL_THREAD = 0x00200000  # PF_KTHREAD
_ENDED = "ZX"

#: For root without the right to look, as in a container.
CAPABLE = "root needs CAP_SYS_PTRACE here: run outside of the container, or start it with --cap-add SYS_PTRACE"
#: For a system whose /proc is another one.
PORTABLE = "--set backend=psutil does without it"


class Ended(CannotMeasure):
    """The process is no more."""


class NotAllowed(CannotMeasure):
    """The process belongs to someone else."""


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
        _check_portable(pid)
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
    if seen.state in _ENDED:
        raise Ended(
            f"process {pid} ({seen.name}) is a zombie: it has ended and its sockets with it",
            f"only its parent, process {seen.parent}, can still clear it away",
        )
    leader = _thread_leader(pid)
    if leader != pid:
        raise UsageError(f"{pid} is a thread of process {leader}", f"use --pid {leader}")
    try:
        os.listdir(f"/proc/{pid}/fd")
    except PermissionError:
        raise not_allowed(pid) from None
    except FileNotFoundError:
        raise Ended(f"process {pid} has ended") from None


def not_allowed(pid: int) -> NotAllowed:
    """The refusal with its cure: as whom to run."""
    return NotAllowed(
        f"not allowed to see the descriptors of process {pid}, which runs as {_user(pid)}; this is {_me()}"
        + (", but without the right to trace processes" if _is_root() else ""),
        CAPABLE if _is_root() else f"sudo {ourselves()} sockets {pid}, or run as that user",
    )


def more_rights() -> str:
    """What would let us see what we may not see now."""
    return CAPABLE if _is_root() else "sudo"


def ourselves() -> str:
    """How root can call this program: by its absolute path, since root's PATH does not lead to a virtualenv."""
    script = shutil.which(sys.argv[0]) if os.path.basename(sys.argv[0]) == "hermes-diag" else None
    return shlex.quote(os.path.abspath(script)) if script else f"{shlex.quote(sys.executable)} -m hermes_diag"


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def facts(pid: int, portable: bool = not LINUX) -> Process:
    """Everything but the kinds of descriptors. Raises Ended or NotAllowed."""
    if portable:
        return _facts_portable(pid)
    seen = stat(pid)
    if seen.state in _ENDED:
        raise Ended(f"process {pid} has ended")
    return Process(
        pid=pid,
        name=seen.name,
        started=_boot() + seen.ticks / os.sysconf("SC_CLK_TCK"),
        threads=seen.threads,
        rss=seen.rss,
        fds=None,
        soft_limit=_soft_limit(pid),
    )


def identity(pid: int, portable: bool = not LINUX) -> float:
    """A number that tells this process from a later one with the same PID. Raises Ended."""
    if not portable:
        seen = stat(pid)
        if seen.state in _ENDED:
            raise Ended(f"process {pid} has ended")
        return seen.ticks
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
        CAPABLE if _is_root() else f"sudo {ourselves()} sockets {pid}, or run as its user",
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


def _user(pid: int) -> str:
    try:
        return _name(os.stat(f"/proc/{pid}").st_uid)
    except OSError:
        return "another user"


def _me() -> str:
    return _name(os.geteuid()) if hasattr(os, "geteuid") else "you"


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _check_portable(pid: int) -> None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            raise psutil.ZombieProcess(pid)
        process.num_fds()
    except psutil.ZombieProcess:
        raise Ended(
            f"process {pid} is a zombie: it has ended and its sockets with it", "only its parent can clear it away"
        ) from None
    except psutil.NoSuchProcess:
        raise Ended(f"there is no process {pid}", "--gateway finds a running Hermes gateway") from None
    except psutil.AccessDenied:
        raise not_allowed(pid) from None


def _facts_portable(pid: int) -> Process:
    import psutil

    process = psutil.Process(pid) if psutil.pid_exists(pid) else None
    if process is None:
        raise Ended(f"process {pid} has ended")
    try:
        with process.oneshot():
            soft = process.rlimit(psutil.RLIMIT_NOFILE)[0] if hasattr(process, "rlimit") else None
            return Process(
                pid=pid,
                name=redact.name(process.name()),
                started=process.create_time(),
                threads=process.num_threads(),
                rss=process.memory_info().rss,
                fds=process.num_fds(),
                soft_limit=soft if soft is not None and 0 <= soft < 1 << 62 else None,
            )
    except psutil.AccessDenied:
        raise not_allowed(pid) from None
    except psutil.Error:
        raise Ended(f"process {pid} has ended") from None
