"""A turn of the user's own: turn(base_url, session), which sends whatever it likes to that URL.

A plain function, a coroutine function, a generator or an asynchronous generator: what a generator yields counts as
events, and an interrupt closes it after the first one; a coroutine is cancelled while the provider holds its stream. A
plain function cannot be interrupted.
"""

import asyncio
import contextlib
import inspect
import socket
import time

from . import event_loop
from .contract import FAULT_PREFIX, Fact, TurnDone
from .driver import HOLD
from .supervised import SupervisedCall

#: Seconds after its first bytes at which a coroutine is cancelled: it has taken them in. The provider holds its stream,
#: so that it cannot have ended before. Bytes that go past Python's sockets (uvloop) are not seen: it is cancelled then.
INTERRUPT, LONGEST = 0.1, 2.0
DOING = "taking a turn"


class OwnTurn:
    """Stands where a subject stands (subjects.py), and has no clients."""

    kind, makes, role = "turn", False, "request"

    def __init__(self, sdk, channel, base_url, function, interrupted, after=1):
        """interrupted: whether the turns of this job are, and after how many events."""
        self._sdk, self._channel, self._function = sdk, channel, function
        self._after = after
        self._cancels = interrupted and inspect.iscoroutinefunction(function)
        self._base_url = base_url.replace("/v1", "%s%s/v1" % (FAULT_PREFIX, HOLD)) if self._cancels else base_url
        if interrupted and not (self._cancels or inspect.isgeneratorfunction(function) or _is_async_gen(function)):
            channel.send(Fact("not_interrupted", "a plain function cannot be interrupted: its turns were complete"))

    def places(self, most):
        return most

    def close(self):
        pass

    def turn(self, session, turn, interrupt, hold):
        """One turn, as TurnDone. hold: an Event that is set when the turn has begun to read, or is over."""
        begun = time.perf_counter()
        reading = Reading(begun, self._after if interrupt else None, hold)
        failure, outcome = {}, "ok"
        try:
            with SupervisedCall(self._channel, DOING, passes=True):
                outcome = self._take(str(session.serial), reading)
        except Exception as exc:
            outcome, failure = "error", self._sdk.describe(exc)
        finally:
            if hold is not None:
                hold.set()
        ms = (time.perf_counter() - begun) * 1000
        return TurnDone(session.serial, turn, 1, outcome, reading.events, ms, reading.first_ms, 0, **failure)

    def _take(self, session, reading):
        made = self._function(self._base_url, session)
        if inspect.isgenerator(made):
            return reading.read(made)
        if inspect.isasyncgen(made):
            return event_loop.run(reading.read_async(made))
        if self._cancels:
            return event_loop.run(_cancelled(made))
        event_loop.settled(made)
        return "ok"


class Reading:
    """How far a turn was read."""

    def __init__(self, begun, after, hold):
        """after: events after which it is interrupted, None for never."""
        self._begun, self._after, self._hold = begun, after, hold
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
            if self._hold is not None:
                self._hold.set()
        return self.events == self._after


@contextlib.contextmanager
def _reading(tell):
    """Within, `tell` is called when a socket has read something."""

    def told(read):
        def reading(*args):
            got = read(*args)
            if got:
                tell()
            return got

        return reading

    for name in ("recv", "recv_into"):
        setattr(socket.socket, name, told(getattr(socket.socket, name)))
    try:
        yield
    finally:
        # The methods are inherited from C; deleting our attributes uncovers them again.
        del socket.socket.recv, socket.socket.recv_into


def _is_async_gen(function):
    return inspect.isasyncgenfunction(function)


async def _cancelled(awaitable):
    """Cancel it once it has read something; its outcome."""
    task, reads = asyncio.ensure_future(awaitable), asyncio.Event()
    with _reading(reads.set):
        waiting = asyncio.ensure_future(reads.wait())
        await asyncio.wait([task, waiting], timeout=LONGEST, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
    await asyncio.wait([task], timeout=INTERRUPT)
    if task.cancel():
        await asyncio.wait([task])
        return "interrupted"
    task.result()
    return "ok"
