"""Ctrl-C, SIGTERM and SIGHUP: the one place that takes them, so that what was learnt so far can still be told."""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Within, the first signal calls `first(number)` and each further one `again(number)`. Context manager.

    A signal that was ignored before stays ignored (`nohup`, a shell's background job); with `always`, SIGINT and
    SIGTERM are taken all the same. Afterwards the earlier handlers are back; with `deaf`, only if no signal came: what
    was learnt is then told undisturbed.
    In a thread that is not the main one, where Python takes no signals, nothing happens.
    """

    def __init__(
        self,
        first: Callable[[int], object],
        again: Callable[[int], object] = lambda number: None,
        deaf: bool = False,
        always: bool = False,
    ) -> None:
        self.number = 0  # of the first signal; 0: none came
        self._first, self._again, self._deaf = first, again, deaf
        self._always = (signal.SIGINT, signal.SIGTERM) if always else ()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        for number in SIGNALS:
            if number in self._always or signal.getsignal(number) is not signal.SIG_IGN:
                try:
                    self._before[number] = signal.signal(number, self._take)
                except ValueError:  # not in the main thread
                    break
        _let_through()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if self.number and self._deaf else handler)

    def _take(self, number: int, frame: object) -> None:
        if self.number:
            self._again(number)
        else:
            self.number = number
            self._first(number)


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """`asyncio.run()` of a coroutine that takes signals with Interrupts: until then they wait.

    One that came earlier would leave half an event loop, or a coroutine that nobody awaits: Python tells of both.
    """
    import asyncio  # most commands have no use for it

    _held[_thread.get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        return asyncio.run(work())
    finally:
        _let_through()


#: By thread: what it had blocked before signals were made to wait.
_held: dict[int, set[int]] = {}


def _let_through() -> None:
    before = _held.pop(_thread.get_ident(), None)
    if before is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def raised() -> None:
    """From now on each of them raises KeyboardInterrupt in the main thread; one that was ignored stays ignored."""
    with contextlib.suppress(ValueError):  # not in the main thread: nobody but a test calls us there
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.default_int_handler)
    sys.unraisablehook = _unraisable


def _again() -> None:
    time.sleep(0.01)
    _thread.interrupt_main()


_usual = sys.unraisablehook


def _unraisable(unraisable: Any) -> None:
    """One that came while an object was finalised, where Python would print and forget it, comes again."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _thread.start_new_thread(_again, ())  # not here: it would be raised in this function
    else:
        _usual(unraisable)
