"""What this process holds at a moment: descriptors, sockets of its children, threads.

Made to be cheap: two of them go around every test that is watched.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from types import FrameType, ModuleType

from hermes_diag.guard.backends import portable, proc, sockets_of

backend: ModuleType = proc if sys.platform.startswith("linux") else portable


@dataclass
class Held:
    """targets: what each fd points to. children: sockets of each descendant."""

    targets: dict[int, str] = field(default_factory=dict)
    children: dict[int, dict[int, int]] = field(default_factory=dict)  # pid -> KEY -> fd
    threads: set[threading.Thread] = field(default_factory=set)

    def sockets(self) -> dict[int, int]:
        """KEY -> fd of this process; of several descriptors of one socket, one."""
        return sockets_of(self.targets)

    def keys(self) -> set[int]:
        """Of all sockets, the children's too."""
        return {*self.sockets(), *(key for sockets in self.children.values() for key in sockets)}

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
    """Look at this process now. Raises CannotMeasure where that cannot be."""
    targets = backend.descriptors()
    # pytest leads these to a file while it captures, and back: where they point to says when we look, and no more.
    for standard in (0, 1, 2):
        targets.pop(standard, None)
    return Held(targets, backend.children(), _threads())


def _threads() -> set[threading.Thread]:
    """Those that Python started; a thread of a C library is nobody's in particular, and one that trio keeps
    for whatever comes next is not the test's to end."""
    own = {thread for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)}
    frames = sys._current_frames()
    return {thread for thread in own if not _kept_by_trio(frames.get(thread.ident or 0))}


def _kept_by_trio(frame: FrameType | None) -> bool:
    """Whether a thread waits in trio's cache of idle threads (they end by themselves after 10 s)."""
    return frame is not None and frame.f_code.co_filename.replace(os.sep, "/").endswith("/trio/_core/_thread_cache.py")
