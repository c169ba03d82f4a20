"""Ctrl-C and SIGTERM: the one place that takes them, so that what was learnt so far can still be told."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Within, the first signal calls `first(number)` and each further one `again(number)`. Context manager.

    A signal that was ignored before stays ignored (`nohup`, a shell's background job), unless `always`. Afterwards the
    earlier handlers are back; with `deaf`, only if no signal came: what was learnt is then told undisturbed.
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
        self._first, self._again, self._deaf, self._always = first, again, deaf, always
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        for number in SIGNALS:
            if self._always or signal.getsignal(number) is not signal.SIG_IGN:
                try:
                    self._before[number] = signal.signal(number, self._take)
                except ValueError:  # not in the main thread
                    return self
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
