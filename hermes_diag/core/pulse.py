"""Whether this process stood still: stopped (Ctrl-Z, SIGSTOP, a paused container), or with a machine that slept.

Then every wait is over at once when it goes on, and a time that was measured meanwhile says nothing of who was waited
for. It shows in a beat that comes late although hardly any processor time was used: a busy process, or one on a busy
machine, is late by some hundredths of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

#: Seconds from beat to beat of a wait; and how long a standstill is at least to be told.
BEAT, STILL = 0.25, 0.5


class Pulse:
    """Beats when its owner says so."""

    def __init__(self) -> None:
        self._used, self._asleep, self._wall = time.process_time(), _asleep(), _wall()

    def beat(self, due: float) -> float:
        """Seconds that this process stood still since the last beat, 0.0: it did not. due: of time.monotonic, when
        this beat was to come."""
        used, asleep = time.process_time(), _asleep()
        late = time.monotonic() - due - (used - self._used)
        slept = asleep - self._asleep
        self._used, self._asleep = used, asleep
        still = max(0.0, late) + max(0.0, slept)
        return round(still, 3) if still >= STILL else 0.0

    def stepped(self) -> float:
        """Seconds by which the clock of the wall was set since this was asked before, 0.0: it was not."""
        before, self._wall = self._wall, _wall()
        step = round(self._wall - before, 3)
        return step if abs(step) >= STILL else 0.0


def _wall() -> float:
    """What the clock of the wall is ahead of one that nobody sets."""
    return time.time() - time.monotonic() - _asleep()


def _asleep() -> float:
    """Seconds that the machine has slept since it was started: CLOCK_BOOTTIME (Linux) counts them, CLOCK_MONOTONIC does
    not."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(boot) - time.monotonic() if boot is not None else 0.0


@contextlib.asynccontextmanager
async def timeout(seconds: float) -> AsyncIterator[None]:
    """As asyncio.timeout, but seconds in which this process stood still do not count."""
    loop, pulse = asyncio.get_running_loop(), Pulse()
    waiting: list[asyncio.TimerHandle] = []

    def beat_at(due: float) -> None:
        waiting[:] = [loop.call_at(due, beat, due)]

    def beat(due: float) -> None:
        # At the end of a standstill this runs before the limit does, which was due later.
        if (still := pulse.beat(due)) and (when := limit.when()) is not None and not limit.expired():
            limit.reschedule(when + still)
        beat_at(max(due, loop.time() - BEAT) + BEAT)

    async with asyncio.timeout(seconds) as limit:
        beat_at(loop.time() + BEAT)
        try:
            yield
        finally:
            waiting[0].cancel()
