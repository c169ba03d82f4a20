"""What psutil says of a process, on any system: the same numbers as process.py reads from /proc."""

from __future__ import annotations

from hermes_diag.core import redact
from hermes_diag.watch.records import Process
from hermes_diag.watch.refused import Ended, not_allowed


def check(pid: int) -> None:
    """Refuse what can have no sockets that we may see. Raises Ended or NotAllowed."""
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


def facts(pid: int) -> Process:
    """Everything but the kinds of descriptors. Raises Ended or NotAllowed."""
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
                stopped=process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP),
                soft_limit=soft if soft is not None and 0 <= soft < 1 << 62 else None,
            )
    except psutil.AccessDenied:
        raise not_allowed(pid) from None
    except psutil.Error:
        raise Ended(f"process {pid} has ended") from None
