"""Every way hermes-diag can refuse: one line that says what, one that says what to do.

Exit codes, the same in every command: 0 clean or as expected, 1 a problem was found, 2 wrong
usage, 3 could not measure, 130 interrupted. Code 1 is a verdict and never the code of an error.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from collections.abc import Iterator

OK = 0
PROBLEM = 1
USAGE = 2
COULD_NOT_MEASURE = 3
INTERRUPTED = 130

#: What to do where there is too little of something.
NO_MEMORY = "there is too little memory for it: free some, or raise its limit (ulimit -v, the container's)"
NO_THREAD = "no more processes or threads may be started: raise the limit (ulimit -u, pids.max of the container)"

#: Bytes of address space with which Python and the SDK fail in many ways, few of which name memory.
_LITTLE = 400 << 20
#: What to do about what a system refuses.
_CURES = {
    errno.ENOMEM: NO_MEMORY,
    errno.EAGAIN: NO_THREAD,
    errno.EROFS: "name a place that may be written to",
    errno.ENOSPC: "is the disk full?",
    errno.EDQUOT: "is the disk full?",
    errno.EMFILE: "raise the limit: ulimit -n 1024",
    errno.EBADF: "is stdout closed?",
    errno.ENETUNREACH: "loopback is down: ip link set lo up",
}


class HermesDiagError(Exception):
    """Something the user can act on: `message` says what and where, `hint` is the cure."""

    exit_code = COULD_NOT_MEASURE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}: {hint}" if hint else message)
        self.message = message
        self.hint = hint

    @property
    def whole(self) -> str:
        """Both in one sentence."""
        return "; ".join(filter(None, (self.message, self.hint)))


class UsageError(HermesDiagError):
    """The command line, a payload or a file is wrong; nothing was measured."""

    exit_code = USAGE


class CannotMeasure(HermesDiagError):
    """The run could not be carried out, so there is no verdict."""

    exit_code = COULD_NOT_MEASURE


def nowhere() -> CannotMeasure:
    """The error of a process whose folder is no more."""
    return CannotMeasure("the current folder was removed", "change to one that is there: cd")


def lacking(error: BaseException | None) -> CannotMeasure | None:
    """What the system had too little of, if that is behind an exception."""
    for one in _behind(error):
        if isinstance(one, FileNotFoundError) and is_nowhere():
            return nowhere()
        if isinstance(one, MemoryError):
            return CannotMeasure("out of memory", NO_MEMORY)
        if isinstance(one, RuntimeError) and "can't start new thread" in str(one):
            return CannotMeasure("no thread could be started", little_memory() or NO_THREAD)
    return None


def little_memory() -> str:
    """What to do where a process of this user may have little memory, "" elsewhere."""
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY or most > _LITTLE:
        return ""
    return f"memory is limited to {most >> 20} MB (ulimit -v), which may be too little: raise that"


def need_memory(size: int) -> None:
    """Raises MemoryError where a limit leaves less: code that is not Python may abort the process then (Linux)."""
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    with contextlib.suppress(OSError), open("/proc/self/statm", "rb") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
        if most != resource.RLIM_INFINITY and most - used < size:
            raise MemoryError


def is_nowhere() -> bool:
    """Whether the folder that this process is in was removed."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _behind(error: BaseException | None, most: int = 20) -> Iterator[BaseException]:
    """An exception, its causes and those of a group."""
    while error is not None and most:
        yield error
        for one in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
            yield from _behind(one, most - 1)
        error, most = error.__cause__ or error.__context__, most - 1


def cure(refused: OSError, otherwise: str = "") -> str:
    """What to do about what the system refused; where only the caller can know, `otherwise`."""
    return _CURES.get(refused.errno or 0, otherwise)
