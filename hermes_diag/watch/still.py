"""Times of a watch in which nothing could happen: the process that is watched was stopped, or the watch itself."""

from __future__ import annotations

import time

from hermes_diag.core import units
from hermes_diag.core.pulse import Pulse
from hermes_diag.watch.records import Look


class Still:
    """How long from sample to sample nothing could happen."""

    def __init__(self) -> None:
        self._pulse, self._last = Pulse(), time.monotonic()

    def since(self, due: float, look: Look) -> float:
        """Seconds of the time since the last sample. due: when this one was (of time.monotonic)."""
        now = time.monotonic()
        elapsed, self._last = now - self._last, now
        ours = self._pulse.beat(due)
        return round(elapsed if look.processes[0].stopped else min(ours, elapsed), 3)


def mostly(seconds: float, of: float) -> bool:
    """Whether the greater part of a watch says nothing. seconds: that stood still. of: that it lasted."""
    return seconds > 0 and 2 * seconds >= of


def text(seconds: float, of: float) -> str:
    """In words, "" when nothing stood still."""
    if not seconds:
        return ""
    whole = units.duration(of)
    return f"nothing could happen for {units.duration(seconds)} of {whole}: the process or the watch was stopped"
