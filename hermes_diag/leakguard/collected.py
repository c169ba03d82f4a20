"""Sockets that nobody closed and nobody refers to, closed by the garbage collector while a test still ran.

When it runs depends on all that ran before. The verdict must not: such a socket was left behind, just as one whose
garbage is not collected yet. So the collector is watched, and is not switched off, which would bring its warnings to
another test. A collection that the test asks for (`gc.collect()`) is the test's own way to close.
"""

from __future__ import annotations

import contextlib
import gc
import socket
import weakref
from typing import Any

_fileno: Any = socket.socket.fileno  # called while a test may have replaced the class


class Collected:
    """keys: of the sockets that were closed so."""

    def __init__(self) -> None:
        self.keys: set[int] = set()
        self._live: dict[int, weakref.ref[Any]] = {}  # by KEY: the object
        self._open: dict[int, weakref.ref[Any]] = {}  # as a collection begins
        self._callback = self.phase  # one object: a method is another one each time it is asked for

    def track(self, key: int, sock: weakref.ref[Any]) -> None:
        """A socket that the test has opened, or another object around the same one."""
        if not self._live:
            self.end()
            gc.callbacks.append(self._callback)
        self._live[key] = sock

    def phase(self, phase: str, info: dict[str, int]) -> None:
        """Called by Python at the start and at the stop of each collection. It lets no other thread run meanwhile."""
        if phase == "stop":
            self.keys |= {key for key, sock in self._open.items() if sock() is None}
            self._open = {}
        elif gc.get_count()[0] > gc.get_threshold()[0]:  # else somebody has asked for it
            self._live = {key: sock for key, sock in self._live.items() if sock() is not None}
            self._open = {key: sock for key, sock in self._live.items() if is_open(sock())}

    def has_object(self, keys: set[int | None]) -> bool:
        """Whether an object of Python still stands for one of these sockets."""
        return any(sock() is not None for key, sock in self._live.items() if key in keys)

    def end(self) -> None:
        """The collector is no longer watched."""
        with contextlib.suppress(ValueError):
            gc.callbacks.remove(self._callback)


def is_open(sock: Any) -> bool:
    """Whether that object still has its descriptor."""
    return sock is not None and int(_fileno(sock)) >= 0
