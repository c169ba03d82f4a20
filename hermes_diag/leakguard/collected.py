"""Sockets that nobody closed and nobody refers to, closed by the garbage collector while a test still ran.

When it runs depends on all that ran before. The verdict must not: such a socket was left behind, just as one whose
garbage is not collected yet. So the collector is watched, and is not switched off, which would bring its warnings to
another test. A collection that the test asks for (`gc.collect()`) is the test's own way to close.
"""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Callable
from typing import Any

_Live = tuple["weakref.ref[Any]", int]


class Collected:
    """keys: of the sockets that were closed so."""

    def __init__(self, key: Callable[[int], int | None]) -> None:
        self.keys: set[int] = set()
        self._key = key
        self._live: dict[int, _Live] = {}  # by KEY: the object and its descriptor
        self._open: dict[int, _Live] = {}  # as a collection begins
        self._callback = self.phase  # one object: a method is another one each time it is asked for

    def track(self, key: int, sock: weakref.ref[Any], fd: int) -> None:
        """A socket that the test has opened, or another object around the same one."""
        if not self._live:
            self.end()
            gc.callbacks.append(self._callback)
        self._live[key] = sock, fd

    def phase(self, phase: str, info: dict[str, int]) -> None:
        """Called by Python at the start and at the stop of each collection."""
        if phase == "stop":
            self.keys |= {key for key, (sock, fd) in self._open.items() if sock() is None and not self._holds(fd, key)}
            self._open = {}
            return
        if gc.get_count()[0] <= gc.get_threshold()[0]:  # somebody has asked for it
            return
        self._live = {key: one for key, one in self._live.items() if one[0]() is not None}
        self._open = {key: (sock, fd) for key, (sock, fd) in self._live.items() if self._holds(fd, key)}

    def _holds(self, fd: int, key: int) -> bool:
        try:
            return self._key(fd) == key
        except OSError:
            return False

    def end(self) -> None:
        """The collector is no longer watched."""
        with contextlib.suppress(ValueError):
            gc.callbacks.remove(self._callback)
