"""A turn of the user's own: turn(base_url, session), which sends whatever it likes to that URL.

A plain function, a coroutine function, a generator or an asynchronous generator: what a generator yields counts as
events, and an interrupt closes it after the first one; a coroutine is cancelled while the provider holds its stream. A
plain function cannot be interrupted.
"""

import asyncio
import functools
import inspect
import socket
import ssl
import threading
import time

from . import event_loop
from .contract import TurnDone
from .supervised import SupervisedCall

#: Seconds after its first bytes at which a coroutine is cancelled: it has taken them in. The provider holds its stream,
#: so that it cannot have ended before.
INTERRUPT = 0.1
#: Seconds within which a turn has read something. Bytes that go past Python's sockets (uvloop) are not seen.
LONGEST = 2.0
DOING = "taking a turn"

_tell = []  # functions to call when a socket of this process has read something
_connecting = []  # the same for one that begins to connect


class OwnTurn:
    """Stands where a subject stands (subjects.py), and has no clients."""

    kind, makes, role = "turn", False, "request"

    def __init__(self, sdk, channel, base_url, function, job):
        self._sdk, self._channel, self._function = sdk, channel, function
        self._base_url = base_url
        self._after = int(job.settings.get("after", 1))  # events after which a turn is interrupted
        self.cancels = job.workload == "interrupted" and inspect.iscoroutinefunction(function)
        self.holds = self.cancels and self._after > 0  # whether the provider holds the stream until it is cancelled
        self._reads = False  # whether a turn was seen to read
        if channel.thing is None:  # else this process is the user's own
            _watch_reads()

    def places(self, most):
        return most

    def close(self):
        pass

    def turn(self, session, turn, interrupt, hold):
        """One turn, as TurnDone. hold: an Event, set when it reads or is over; its first stream is held meanwhile."""
        begun = time.perf_counter()
        reading = Reading(begun, max(1, self._after) if interrupt else None)
        failure, outcome = {}, "ok"
        if hold is not None:
            _tell.append(hold.set)
            unseen = threading.Timer(LONGEST, hold.set)
            unseen.start()
        try:
            with SupervisedCall(self._channel, DOING, passes=True):
                outcome = self._take(str(session.serial), reading)
        except Exception as exc:
            outcome, failure = "error", self._sdk.describe(exc)
        finally:
            if hold is not None:
                _tell.remove(hold.set)
                unseen.cancel()
                hold.set()
        ms = (time.perf_counter() - begun) * 1000
        return TurnDone(session.serial, turn, 1, outcome, reading.events, ms, reading.first_ms, 0, **failure)

    def _take(self, session, reading):
        made = self._function(self._base_url, session)
        if inspect.isgenerator(made):
            return reading.read(made)
        if inspect.isasyncgen(made):
            return event_loop.run(reading.read_async(made))
        if self.cancels:
            return event_loop.run(self._cancelled(made))
        event_loop.settled(made)
        return "ok"

    async def _cancelled(self, awaitable):
        """Cancel it once it has read something, or begins to connect; its outcome. One that reads nothing although
        turns before it did hangs before its request: it is not cancelled, and found."""
        task, reads = asyncio.ensure_future(awaitable), asyncio.Event()
        if not self._after:
            return await _cancelled_connecting(task)
        waiting = asyncio.ensure_future(reads.wait())
        _tell.append(reads.set)
        await asyncio.wait([task, waiting], timeout=LONGEST, return_when=asyncio.FIRST_COMPLETED)
        _tell.remove(reads.set)
        waiting.cancel()
        if self._reads and not reads.is_set():
            await task
        self._reads = self._reads or reads.is_set()
        await asyncio.wait([task], timeout=INTERRUPT)
        if task.cancel():
            await asyncio.wait([task])
            return "interrupted"
        task.result()
        return "ok"


async def _cancelled_connecting(task):
    """Cancel it at the first connection that it begins; its outcome."""
    cancel = functools.partial(asyncio.get_running_loop().call_soon_threadsafe, task.cancel)
    _connecting.append(cancel)
    await asyncio.wait([task])
    _connecting.remove(cancel)
    if task.cancelled():
        return "interrupted"
    task.result()
    return "ok"


class Reading:
    """How far a turn was read."""

    def __init__(self, begun, after):
        """after: events after which it is interrupted, None for never."""
        self._begun, self._after = begun, after
        self.events = 0
        self.first_ms = None

    def read(self, made):
        try:
            for _ in made:
                if self._ends():
                    return "interrupted"
        finally:
            made.close()
        return "ok"

    async def read_async(self, made):
        try:
            async for _ in made:
                if self._ends():
                    return "interrupted"
        finally:
            await made.aclose()
        return "ok"

    def _ends(self):
        self.events += 1
        if self.first_ms is None:
            self.first_ms = (time.perf_counter() - self._begun) * 1000
        return self.events == self._after


def _watch_reads():
    """From now on the functions in _tell are called when a socket of this process has read something, those in
    _connecting when one begins to connect."""

    def told(read):
        def reading(*args):
            got = read(*args)
            for tell in list(_tell) if got else ():
                tell()
            return got

        return reading

    for kind in (socket.socket, ssl.SSLSocket):  # each has its own
        for name in ("recv", "recv_into"):
            setattr(kind, name, told(getattr(kind, name)))

    connect = socket.socket.connect

    def connecting(*args):
        for tell in list(_connecting):
            tell()
        return connect(*args)

    socket.socket.connect = connecting
