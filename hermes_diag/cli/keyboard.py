"""The sleep between two samples of a watch, which Ctrl-C, SIGTERM and the key q end."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from types import TracebackType
from typing import Any

from hermes_diag.core.interrupts import Interrupts


class Quit(Exception):
    """The user has pressed q."""


class Sleep:
    """Callable: sleeps so many seconds. A signal that comes while a sample is taken is heard at the next sleep,
    so that no sample is torn; the second one is heard at once. Context manager.

    keys: q raises Quit (where stdin is a terminal).
    """

    def __init__(self, keys: bool = False) -> None:
        self._keys = keys and sys.stdin.isatty()
        self._asleep = False
        self._interrupts = Interrupts(self._first, self._again)
        self._terminal: list[Any] | None = None

    def __enter__(self) -> Sleep:
        self._interrupts.__enter__()
        if self._keys:
            import termios
            import tty

            with contextlib.suppress(termios.error):
                self._terminal = termios.tcgetattr(sys.stdin)
                tty.setcbreak(sys.stdin, termios.TCSANOW)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminal is not None:
            import termios

            termios.tcsetattr(sys.stdin, termios.TCSANOW, self._terminal)
        self._interrupts.__exit__(kind, exc, trace)

    def __call__(self, seconds: float) -> None:
        self._asleep = True
        try:
            if self._interrupts.number:
                raise KeyboardInterrupt
            if self._terminal is None:
                time.sleep(seconds)
            else:
                self._wait_for_key(time.monotonic() + seconds)
        finally:
            self._asleep = False

    def _wait_for_key(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([sys.stdin], [], [], left)
            if ready and os.read(sys.stdin.fileno(), 1) in (b"q", b"Q"):
                raise Quit

    def _first(self, number: int) -> None:
        if self._asleep:
            raise KeyboardInterrupt

    def _again(self, number: int) -> None:
        raise KeyboardInterrupt
