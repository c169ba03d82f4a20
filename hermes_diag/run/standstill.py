"""Looks whether a cell can go on: whether this process stands still, one that runs the cell is stopped, or the clock is
set, by which what is tried may measure its waits."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

import psutil

from hermes_diag.core.evidence import Standstill
from hermes_diag.core.pulse import STILL, Pulse
from hermes_diag.watch import process

#: Processes between a job and us, the job itself included: its lane, and the interpreter that forked it.
_BETWEEN = 3


class Standstills:
    """Of one cell. every: seconds from look to look."""

    def __init__(self, every: float) -> None:
        self._every, self._pulse = every, Pulse()
        self._due = time.monotonic() + every
        self._since: float | None = None  # when the worker was first seen to be stopped

    def look(self, pid: int, at: float) -> Iterator[Standstill]:
        """What has ended since the last look. pid: of the job, 0 where there is none. at: seconds since the cell
        began."""
        if still := self._pulse.beat(self._due):
            yield Standstill(at, still, "run")
        if step := self._pulse.stepped():
            yield Standstill(at, abs(step), "clock")
        now = time.monotonic()
        self._due = now + self._every
        if pid and is_stopped(pid):
            self._since = now if self._since is None else self._since
        elif self._since is not None:
            yield from self.end(at)

    def end(self, at: float) -> Iterator[Standstill]:
        """The cell is over, whether the worker is still stopped or not."""
        since, self._since = self._since, None
        if since is not None and (seconds := time.monotonic() - since) >= STILL:
            yield Standstill(at, round(seconds, 3), "worker")


def is_stopped(pid: int) -> bool:
    """Whether a process, or one of those between it and us, is stopped (SIGSTOP, a debugger)."""
    with contextlib.suppress(process.Ended, psutil.Error, OSError):
        for _ in range(_BETWEEN):
            if pid in (0, 1, os.getpid()):
                return False
            stopped, pid = _look(pid)
            if stopped:
                return True
    return False


def _look(pid: int) -> tuple[bool, int]:
    if process.LINUX:
        seen = process.stat(pid)
        return seen.state in process.STOPPED, seen.parent
    one = psutil.Process(pid)
    return one.status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP), one.ppid()
