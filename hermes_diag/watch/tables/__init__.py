"""Where socket tables come from: one file for each source, found by listing this folder.

A source has KNOWS_INODES, FOR_ALL (the table is the same whichever process is asked about), `available() -> str`
("" or why it does not work here) and `table(states, port, info, pid, known)`, see sock_diag.py; the first line of its
docstring says what it is.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType

from hermes_diag.core.errors import CannotMeasure
from hermes_diag.watch import process
from hermes_diag.watch.filters import STATES

#: What a socket that somebody may hold can be in. A busy host has more sockets in TIME_WAIT than others.
BUT_TIME_WAIT = tuple(state for state in STATES if state not in ("TIME_WAIT", "CLOSE"))


def names() -> list[str]:
    """Every source by its name."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str) -> ModuleType:
    """A source by name; psutil is only imported when it is wanted."""
    return import_module(f"{__name__}.{name}")


def pick(pid: int, name: str = "auto") -> tuple[ModuleType, str, str]:
    """The backend of that name or the best for this process, its name, and why. Raises CannotMeasure."""
    if name != "auto":
        backend = load(name)
        why = backend.available()
        if why:
            raise CannotMeasure(f"--set backend={name}: {why}", "leave --set backend out, or use --set backend=psutil")
        if name != "proc_net" and process.other_namespace(pid):
            raise CannotMeasure(
                f"--set backend={name}: process {pid} lives in another network namespace, which it cannot see",
                "leave --set backend out, or use --set backend=proc_net",
            )
        return backend, name, "asked for"
    if process.other_namespace(pid):
        return load("proc_net"), "proc_net", "the process lives in another network namespace"
    fast = load("sock_diag")
    why = fast.available()
    return (load("psutil"), "psutil", why) if why else (fast, "sock_diag", "the fastest here")


def inodes(backend: ModuleType, pid: int) -> set[int | None]:
    """The inodes of all TCP sockets in the network namespace of a process (Linux). Raises OSError."""
    if not backend.KNOWS_INODES:
        fast = load("sock_diag")
        backend = load("proc_net") if fast.available() else fast
    return {row.inode for row in backend.table(BUT_TIME_WAIT, pid=pid)}
