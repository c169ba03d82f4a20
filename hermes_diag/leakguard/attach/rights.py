"""Whether a process can be asked, and if not, why and what helps."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from hermes_diag.core.errors import CannotMeasure
from hermes_diag.watch import process

#: The first release that can be asked.
FIRST = (3, 14)
_LIBRARY = re.compile(r"libpython(\d)\.(\d+)t?\.so")
_NAMED = re.compile(r"python(?:(\d)(?:\.(\d+))?)?t?$")


@dataclass(frozen=True)
class Asked:
    """A process that can be asked: the interpreter that asks, and as whom its files must be readable."""

    pid: int
    interpreter: str
    user: int
    group: int


def check(pid: int) -> Asked:
    """Refuse what cannot be asked, before anything is touched. Raises CannotMeasure, process.Ended, NotAllowed."""
    if not process.LINUX:
        raise CannotMeasure("--attach works on Linux only", "leave --attach out")
    process.check(pid)
    status = _status(pid)
    try:
        user, group = int(status["Uid"].split()[1]), int(status["Gid"].split()[1])
    except (KeyError, ValueError, IndexError):
        raise CannotMeasure(f"/proc/{pid}/status does not say whose process it is", "look without --attach") from None
    me = os.geteuid()
    if me not in (0, user):
        raise process.NotAllowed(
            f"--attach: process {pid} runs as another user (uid {user})",
            f"sudo {process.ourselves()} sockets {pid} --attach, or run as that user",
        )
    try:
        release, interpreter = _interpreter(pid)
    except PermissionError:
        raise not_permitted(pid) from None
    if release < FIRST:
        raise CannotMeasure(
            f"--attach: process {pid} runs Python {release[0]}.{release[1]}, which cannot be asked",
            "Python 3.14 and newer can (PEP 768); without --attach a look works with any",
        )
    _room(pid)
    return Asked(pid, interpreter, user, group)


def _status(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/status").read_text(errors="replace")  # the name of a process may be any bytes
    except (FileNotFoundError, ProcessLookupError):
        raise process.Ended(f"process {pid} has ended") from None
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def _interpreter(pid: int) -> tuple[tuple[int, int], str]:
    """The release of the Python that a process runs, and an interpreter of that release."""
    try:
        path = os.readlink(f"/proc/{pid}/exe")
        maps = Path(f"/proc/{pid}/maps").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        raise process.Ended(f"process {pid} has ended") from None
    path = path.removesuffix(" (deleted)")
    there = Path(path)
    runs = path if there.exists() and os.path.samefile(path, f"/proc/{pid}/exe") else f"/proc/{pid}/exe"
    named = _NAMED.fullmatch(there.name)
    library = _LIBRARY.search(maps)
    if named is None and library is None:
        raise CannotMeasure(f"--attach: process {pid} ({there.name}) is no Python program", "leave --attach out")
    release = None
    if library is not None:
        release = (int(library[1]), int(library[2]))
    elif named is not None and named[2]:
        release = (int(named[1]), int(named[2]))
    else:
        release = _told(runs)
    if named is not None:
        return release, runs
    if release >= FIRST and release != sys.version_info[:2]:
        raise CannotMeasure(
            f"--attach: process {pid} ({there.name}) has Python {release[0]}.{release[1]} built in, and the one that "
            f"asks must be of the same release",
            f"install hermes-diag under Python {release[0]}.{release[1]}",
        )
    return release, sys.executable


def _told(path: str) -> tuple[int, int]:
    """The release, as the interpreter says itself."""
    import subprocess

    command = [path, "-I", "-S", "-c", "import sys; print(*sys.version_info[:2])"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        major, minor = map(int, done.stdout.split())
    except (OSError, ValueError, subprocess.TimeoutExpired):
        raise CannotMeasure(f"--attach: {path} does not say which Python it is", "leave --attach out") from None
    return major, minor


def _room(pid: int) -> None:
    """Reading the script takes a descriptor in the process, and a full one has none."""
    facts = process.facts(pid)
    taken = len(os.listdir(f"/proc/{pid}/fd"))
    if facts.soft_limit is not None and taken + 2 > facts.soft_limit:
        raise CannotMeasure(
            f"--attach: process {pid} is at its limit of {facts.soft_limit} descriptors, and to be asked it needs two",
            f"prlimit --pid {pid} --nofile={facts.soft_limit + 64}: raises the limit of the running process",
        )


def not_permitted(pid: int) -> CannotMeasure:
    """Why the system refuses: Yama, a missing capability."""
    scope = _scope()
    root = os.geteuid() == 0
    what = f"--attach: not allowed to reach into process {pid}"
    if scope == 3:
        return process.NotAllowed(f"{what}: kernel.yama.ptrace_scope is 3, which forbids it to all until a reboot", "")
    if root:
        return process.NotAllowed(f"{what}: root has no CAP_SYS_PTRACE here", process.CAPABLE)
    cure = f"sudo {process.ourselves()} sockets {pid} --attach"
    if scope:
        cure += "" if scope == 2 else ", or for as long as you need it: sudo sysctl kernel.yama.ptrace_scope=0"
        return process.NotAllowed(f"{what}: kernel.yama.ptrace_scope is {scope}, which leaves it to root", cure)
    return process.NotAllowed(f"{what}: it has rights that you have not, or may not be traced", cure)


def _scope() -> int:
    try:
        return int(Path("/proc/sys/kernel/yama/ptrace_scope").read_text())
    except (OSError, ValueError):
        return 0


def explained(asked: Asked, kind: str, message: str) -> CannotMeasure:
    """What `sys.remote_exec` refused with, in words that help."""
    pid = asked.pid
    denied = "Operation not permitted" in message or "Permission denied" in message
    if kind == "PermissionError" or denied:
        return not_permitted(pid)
    if "No such process" in message or kind == "ProcessLookupError":
        return process.Ended(f"process {pid} has ended")
    if "not enabled in the remote process" in message:
        return CannotMeasure(
            f"--attach: process {pid} was started with PYTHON_DISABLE_REMOTE_DEBUG or -X disable-remote-debug, or its "
            "Python was built without it",
            "start it without, or look without --attach",
        )
    if "not enabled" in message or "remote_exec" in message:
        return CannotMeasure(
            f"--attach: {asked.interpreter} is built or set up without remote debugging",
            "unset PYTHON_DISABLE_REMOTE_DEBUG, or look without --attach",
        )
    return CannotMeasure(
        f"--attach: process {pid} cannot be asked ({kind}: {message})",
        "if it runs in a container, run hermes-diag inside; if its Python was replaced since, only a restart helps",
    )
