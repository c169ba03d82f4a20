"""What this process holds at a moment: descriptors, sockets of its children, threads.

Made to be cheap: two of them go around every test that is watched.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from types import FrameType, ModuleType
from typing import Any

from hermes_diag.leakguard.backends import portable, proc
from hermes_diag.watch import descriptors

backend: ModuleType = proc if sys.platform.startswith("linux") else portable


@dataclass
class Held:
    """targets: what each fd points to. children: sockets of each descendant."""

    targets: dict[int, str] = field(default_factory=dict)
    children: dict[int, dict[int, int]] = field(default_factory=dict)  # pid -> KEY -> fd
    threads: weakref.WeakSet[threading.Thread] = field(
        default_factory=weakref.WeakSet
    )  # weak: must not keep a thread alive

    def sockets(self) -> dict[int, int]:
        """KEY -> fd of this process; of several descriptors of one socket, one."""
        return descriptors.sockets(self.targets)

    def keys(self) -> set[int]:
        """Of all sockets, the children's too."""
        return {*self.sockets(), *(key for sockets in self.children.values() for key in sockets)}

    def descriptors(self) -> Counter[str]:
        """How often each target is held; a file that was closed and opened again is the same."""
        return Counter(self.targets.values())

    def admit(self, before: Held, after: Held) -> None:
        """Treat what was opened between two moments as if it had been there from the start: it belongs to a fixture of
        wider scope."""
        self.targets |= {fd: to for fd, to in after.targets.items() if before.targets.get(fd) != to}
        for pid, sockets in after.children.items():
            self.children.setdefault(pid, {}).update(sockets)
        self.threads |= after.threads - before.threads


#: pytest points these at a file while it captures output, and back: a change of them does not count.
_STANDARD = (0, 1, 2)


def now(spared: Collection[int] = ()) -> Held:
    """Look at this process now. Raises CannotMeasure where that cannot be. spared: descriptors to leave out."""
    targets = {
        fd: to
        for fd, to in backend.descriptors().items()
        if fd not in spared and (fd not in _STANDARD or descriptors.is_socket(to))
    }
    children = backend.children()
    server = getattr(sys.modules.get("multiprocessing.forkserver"), "_forkserver", None)
    children.pop(getattr(server, "_forkserver_pid", None), None)  # started once for the life of the process
    return Held(targets, children, weakref.WeakSet(_threads()))


def warm_up() -> None:
    """uvloop opens a pipe for the life of the process with the first event loop: before a test, and not in it."""
    uvloop = sys.modules.get("uvloop")
    if uvloop is not None and uvloop not in _warm:
        _warm.append(uvloop)
        with contextlib.suppress(Exception):
            uvloop.new_event_loop().close()


_warm: list[Any] = []


def kept_loop() -> Any:
    """The event loop that asyncio's policy keeps for this thread between runs, None for none.

    It belongs to a fixture of wider scope, or pytest-asyncio leaves it there (after the first test or after each,
    depending on its release). This does not make one.
    """
    policy = getattr(sys.modules.get("asyncio.events"), "_event_loop_policy", None)
    return getattr(getattr(policy, "_local", None), "_loop", None)


def descriptors_of(loop: Any) -> tuple[int, ...]:
    """Those of an event loop, of its self-pipe first; none when it is closed or of another kind."""
    found = []
    for name in ("_ssock", "_csock", "_selector"):
        with contextlib.suppress(AttributeError, ValueError, KeyError):
            found.append(getattr(loop, name).fileno())
    return tuple(fd for fd in found if fd >= 0)


def threads_of(loop: Any) -> set[threading.Thread]:
    """Those of the default executor of an event loop, which ends with it."""
    return set(getattr(getattr(loop, "_default_executor", None), "_threads", ()))


def _threads() -> set[threading.Thread]:
    """Those that Python started; threads of C libraries are not seen, and idle ones that trio keeps are left
    out: the test cannot end them."""
    own = {thread for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)}
    if "trio" not in sys.modules:
        return own
    frames = sys._current_frames()
    frames.pop(threading.get_ident(), None)
    found = {thread for thread in own if not _kept_by_trio(frames.get(thread.ident or 0))}
    frames.clear()  # our own frame is among them: a reference cycle that would keep the threads alive
    return found


def _kept_by_trio(frame: FrameType | None) -> bool:
    """Whether a thread waits in trio's cache of idle threads (they end by themselves after 10 s).

    It may stand in a wrapper of lock.acquire; one that works stands in the job that it was given.
    """
    while frame is not None:
        if frame.f_code.co_filename.replace(os.sep, "/").endswith("/trio/_core/_thread_cache.py"):
            return frame.f_code.co_name == "_work"
        frame = frame.f_back
    return False
