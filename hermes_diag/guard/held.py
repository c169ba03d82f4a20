"""What this process holds at a moment: descriptors, sockets of its children, threads. Linux.

Made to be cheap: two of them go around every test that is watched.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import FrameType

from hermes_diag.errors import CannotMeasure

_SOCKET = "socket:["


@dataclass
class Held:
    """targets: what each fd points to, as /proc/PID/fd shows it. children: sockets of each descendant."""

    targets: dict[int, str] = field(default_factory=dict)
    children: dict[int, dict[int, int]] = field(default_factory=dict)  # pid -> inode -> fd
    threads: set[threading.Thread] = field(default_factory=set)

    def sockets(self) -> dict[int, int]:
        """inode -> fd of this process; of several descriptors of one socket, one."""
        return sockets_of(self.targets)

    def inodes(self) -> set[int]:
        """Of all sockets, the children's too."""
        return {*self.sockets(), *(inode for sockets in self.children.values() for inode in sockets)}

    def descriptors(self) -> Counter[str]:
        """How often each target is held; a file that was closed and opened again is the same."""
        return Counter(self.targets.values())

    def admit(self, before: Held, after: Held) -> None:
        """Count what came between two moments as held all along: it belongs to a wider scope."""
        self.targets |= {fd: to for fd, to in after.targets.items() if before.targets.get(fd) != to}
        for pid, sockets in after.children.items():
            self.children.setdefault(pid, {}).update(sockets)
        self.threads |= after.threads - before.threads


def now() -> Held:
    """Look at this process now. Raises CannotMeasure where there is no /proc."""
    try:
        targets = _targets("self")
    except OSError:
        raise CannotMeasure(
            f"what a process holds is read from /proc, which is not here ({sys.platform})",
            "run on Linux, or with --limit-sockets=off",
        ) from None
    children: dict[int, dict[int, int]] = {}
    for pid in _descendants("self"):
        with contextlib.suppress(OSError):  # ended, or not ours to see
            children[pid] = sockets_of(_targets(str(pid)))
    return Held(targets, children, _threads())


def sockets_of(targets: dict[int, str]) -> dict[int, int]:
    """inode -> fd"""
    return {int(to[len(_SOCKET) : -1]): fd for fd, to in targets.items() if to.startswith(_SOCKET)}


def is_socket(target: str) -> bool:
    return target.startswith(_SOCKET)


def _targets(pid: str) -> dict[int, str]:
    folder = f"/proc/{pid}/fd"
    found = {}
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            found[int(name)] = os.readlink(f"{folder}/{name}")
    return found


def _threads() -> set[threading.Thread]:
    """Those that Python started; a thread of a C library is nobody's in particular, and one that trio keeps
    for whatever comes next is not the test's to end."""
    own = {thread for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)}
    frames = sys._current_frames()
    return {thread for thread in own if not _kept_by_trio(frames.get(thread.ident or 0))}


def _kept_by_trio(frame: FrameType | None) -> bool:
    """Whether a thread waits in trio's cache of idle threads (they end by themselves after 10 s)."""
    return frame is not None and frame.f_code.co_filename.replace(os.sep, "/").endswith("/trio/_core/_thread_cache.py")


def _descendants(pid: str) -> Iterable[int]:
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                children = file.read().split()
        except OSError:
            continue
        for child in children:
            yield int(child)
            yield from _descendants(child.decode())
