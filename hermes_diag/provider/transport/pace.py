"""A slow link: bytes that leave late, or only so many a second. What is closed behind them is closed after them."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable

#: Bytes that wait for their turn until whoever writes them is told to pause.
HIGH = 64 * 1024
#: Seconds between two portions of a throttled link: a drip, never a burst.
STEP = 0.05


class Pace:
    """Bytes on their way out.

    send: takes bytes that are due. pause, resume: tell the writer that enough is waiting, and that it may go on.
    rate: bytes a second, 0: any number. latency, jitter: seconds by which each piece is late; the jitter is
    drawn anew for each piece, to both sides, and no piece overtakes another. seed: the same draws again.
    """

    def __init__(
        self, send: Callable[[bytes], None], pause: Callable[[], None], resume: Callable[[], None], seed: int
    ) -> None:
        self._send, self._pause, self._resume = send, pause, resume
        self._rate = 0
        self._latency = self._jitter = 0.0
        self._chance = random.Random(seed)
        self._queue: deque[tuple[float, bytes | Callable[[], None]]] = deque()  # (when due, bytes or an act)
        self._waiting = 0  # bytes in the queue
        self._allowance = 0.0  # bytes that may go out now
        self._counted = 0.0  # when the allowance was last added to
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False

    def throttle(self, rate: int) -> None:
        self._rate = rate
        self._counted = asyncio.get_running_loop().time()

    def delay(self, latency: float, jitter: float) -> None:
        self._latency, self._jitter = latency, jitter

    @property
    def throttled(self) -> bool:
        return self._rate > 0

    @property
    def pending(self) -> bool:
        """Something is still to leave, or to be done after it."""
        return bool(self._queue)

    def put(self, data: bytes) -> None:
        """Send bytes when it is their turn."""
        late = max(0.0, self._latency + self._chance.uniform(-self._jitter, self._jitter))
        due = asyncio.get_running_loop().time() + late
        if self._queue:
            due = max(due, self._queue[-1][0])
        self._queue.append((due, data))
        self._waiting += len(data)
        if self._waiting > HIGH and not self._paused:
            self._paused = True
            self._pause()
        if self._rate and self._timer is None:
            # After a whole step, so that what fits into one portion is in one piece, however soon it comes.
            self._timer = asyncio.get_running_loop().call_later(STEP, self._step)
        self._go_on()

    def then(self, act: Callable[[], None]) -> None:
        """Do something once all that was put before has left."""
        self._queue.append((self._queue[-1][0] if self._queue else 0.0, act))
        self._go_on()

    def drop(self) -> None:
        """Forget all that has not left."""
        self._queue.clear()
        self._waiting = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_on(self) -> None:
        if self._timer is None:
            self._step()

    def _step(self) -> None:
        """Let out what is due and allowed, and come again for the rest."""
        loop = asyncio.get_running_loop()
        self._timer = None
        now = loop.time()
        if self._rate:
            # No more than one step's worth is saved up: a link that was idle does not send a burst.
            self._allowance = min(self._allowance + (now - self._counted) * self._rate, max(1.0, self._rate * STEP))
            self._counted = now
        wait = 0.0
        while self._queue and not wait:
            due, what = self._queue[0]
            if due > now:
                wait = due - now
            elif isinstance(what, bytes):
                wait = self._let_out(due, what)
            else:
                self._queue.popleft()
                what()
        if self._paused and self._waiting <= HIGH // 2:
            self._paused = False
            self._resume()
        if self._queue and self._timer is None:
            self._timer = loop.call_later(wait, self._step)

    def _let_out(self, due: float, data: bytes) -> float:
        """Send as much of the first piece as is allowed; seconds until more is."""
        size = len(data)
        if self._rate:
            size = min(size, int(self._allowance))
            self._allowance -= size
        self._queue.popleft()
        if size < len(data):
            self._queue.appendleft((due, data[size:]))
        self._waiting -= size
        if size:
            self._send(data[:size])
        return max(STEP, 1 / self._rate) if self._rate and size < len(data) else 0.0
