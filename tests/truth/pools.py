"""Pools: acquire(), release(client), close(). Bounded ones fill up while they are used; what counts is the end."""

import asyncio
import collections
import contextlib
import itertools
import os
import queue
import threading
import time

import openai
from openai import AsyncOpenAI, DefaultHttpxClient, OpenAI


class Kept:
    """Clients that were made, all closed with the pool."""

    def __init__(self):
        self.made = []

    def make(self):
        self.made.append(OpenAI())
        return self.made[-1]

    def release(self, client):
        pass

    def close(self):
        for client in self.made:
            client.close()


# --- sound -------------------------------------------------------------------------------------------


class OneClient(Kept):
    """healthy: one client for everybody."""

    def acquire(self):
        return self.made[0] if self.made else self.make()


class OneClientOfKwargs:
    """healthy: the same, made of the client_kwargs that the pool is given."""

    def __init__(self, client_kwargs):
        self._client = OpenAI(**client_kwargs)

    def acquire(self):
        return self._client

    def release(self, client):
        pass

    def close(self):
        self._client.close()


class EightInTurn:
    """healthy: eight clients for good, in turn."""

    def __init__(self, client_kwargs):
        self._clients = [OpenAI(**client_kwargs) for _ in range(8)]
        self._turn = itertools.cycle(self._clients)

    def acquire(self):
        return next(self._turn)

    def release(self, client):
        pass

    def close(self):
        for client in self._clients:
            client.close()


class FillsUpToTwenty(Kept):
    """healthy: makes a client for each turn until there are twenty, and then takes them in turn; all are closed in the end."""

    def __init__(self):
        super().__init__()
        self._taken = itertools.count()

    def acquire(self):
        number = next(self._taken) % 20
        return self.made[number] if number < len(self.made) else self.make()


class FourAtMost(Kept):
    """healthy: four clients at most; who comes fifth waits."""

    def __init__(self):
        super().__init__()
        self._places, self._idle = threading.BoundedSemaphore(4), []

    def acquire(self):
        self._places.acquire()
        return self._idle.pop() if self._idle else self.make()

    def release(self, client):
        self._idle.append(client)
        self._places.release()


class OneAtATime(Kept):
    """healthy: one client behind a lock; who comes second waits."""

    def __init__(self):
        super().__init__()
        self._lock = threading.Lock()

    def acquire(self):
        self._lock.acquire()
        return self.made[0] if self.made else self.make()

    def release(self, client):
        self._lock.release()


class QueueOfTwo(Kept):
    """healthy: two clients in a queue, made at the start."""

    def __init__(self):
        super().__init__()
        self._queue = queue.Queue()
        for _ in range(2):
            self._queue.put(self.make())

    def acquire(self):
        return self._queue.get()

    def release(self, client):
        self._queue.put(client)


class FreeListOfEight:
    """healthy: keeps eight free clients at most and closes what comes back beyond."""

    def __init__(self):
        self._free, self._lock = collections.deque(), threading.Lock()

    def acquire(self):
        with self._lock:
            return self._free.popleft() if self._free else OpenAI()

    def release(self, client):
        with self._lock:
            if len(self._free) < 8:
                self._free.append(client)
                return
        client.close()

    def close(self):
        while self._free:
            self._free.pop().close()


class LastBackFirstOut:
    """healthy: a free list without a bound, which holds as many as were in use at a time."""

    def __init__(self):
        self._free = []

    def acquire(self):
        return self._free.pop() if self._free else OpenAI()

    def release(self, client):
        self._free.append(client)

    def close(self):
        while self._free:
            self._free.pop().close()


class WarmsUp(Kept):
    """healthy: asks for the models when it is made, so that its first turn finds a connection."""

    def __init__(self):
        super().__init__()
        with contextlib.suppress(openai.APIError):
            self.make().models.list()

    def acquire(self):
        return self.made[0]


class OneForEachSession(Kept):
    """healthy: a client for each session, as long as the pool lives."""

    def __init__(self):
        super().__init__()
        self._of = {}

    def acquire(self, session):
        if session not in self._of:
            self._of[session] = self.make()
        return self._of[session]


class ReplacedAfterFourTurns:
    """healthy: a client serves four turns, then a new one is made, and the old one closed when nobody has it: a sawtooth."""

    def __init__(self):
        self._client, self._served, self._users, self._lock = OpenAI(), 0, collections.Counter(), threading.Lock()

    def acquire(self):
        with self._lock:
            self._users[self._client] += 1
            return self._client

    def release(self, client):
        with self._lock:
            self._users[client] -= 1
            self._served += 1
            if self._served % 4 == 0:
                self._client = OpenAI()
            for one in [one for one in self._users if one is not self._client and not self._users[one]]:
                del self._users[one]
                one.close()

    def close(self):
        for one in {self._client, *self._users}:
            one.close()


class Reaped:
    """healthy: a thread closes clients that nobody has taken for a while; it ends with the pool."""

    def __init__(self):
        self._free, self._lock, self._end = [], threading.Lock(), threading.Event()
        self._reaper = threading.Thread(target=self._reap, daemon=True)
        self._reaper.start()

    def _reap(self):
        while not self._end.wait(0.05):
            with self._lock:
                old = [one for one in self._free if time.monotonic() - one[0] > 0.2]
                self._free = [one for one in self._free if one not in old]
            for _, client in old:
                client.close()

    def acquire(self):
        with self._lock:
            return self._free.pop()[1] if self._free else OpenAI()

    def release(self, client):
        with self._lock:
            self._free.append((time.monotonic(), client))

    def close(self):
        self._end.set()
        self._reaper.join()
        for _, client in self._free:
            client.close()


class AsksBeforeItHandsOut(Kept):
    """healthy: asks for the models at each acquire, to see whether the client still works."""

    def acquire(self):
        client = self.made[0] if self.made else self.make()
        with contextlib.suppress(openai.APIError):
            client.models.list()
        return client


class ViewsOfOnePool:
    """healthy: each turn gets a client of its own over one http_client that the pool owns."""

    def __init__(self):
        self._http_client = DefaultHttpxClient()

    def acquire(self):
        return OpenAI(http_client=self._http_client)

    def release(self, client):
        pass

    def close(self):
        self._http_client.close()


class ClosesWhatComesBack:
    """healthy: a new client for each acquire, closed at its release."""

    def __init__(self, client_kwargs):
        self._kwargs = client_kwargs

    def acquire(self):
        return OpenAI(**self._kwargs)

    def release(self, client):
        client.close()

    def close(self):
        pass


class AsyncOneClient:
    """healthy: one asynchronous client for everybody."""

    def __init__(self, client_kwargs):
        self._client = AsyncOpenAI(**client_kwargs)

    async def acquire(self):
        return self._client

    async def release(self, client):
        pass

    async def close(self):
        await self._client.close()


class AsyncThreeAtMost:
    """healthy: three asynchronous clients at most, behind a semaphore."""

    def __init__(self):
        self._places, self._free, self._made = None, [], []

    async def acquire(self):
        if self._places is None:
            self._places = asyncio.Semaphore(3)
        await self._places.acquire()
        if not self._free:
            self._made.append(AsyncOpenAI())
            self._free.append(self._made[-1])
        return self._free.pop()

    async def release(self, client):
        self._free.append(client)
        self._places.release()

    async def close(self):
        await asyncio.gather(*(client.close() for client in self._made))


class AsyncClosesWhatComesBack:
    """healthy: a new asynchronous client for each acquire, closed at its release."""

    async def acquire(self):
        return AsyncOpenAI()

    async def release(self, client):
        await client.close()


# --- faulty ------------------------------------------------------------------------------------------


class HandsOutWhatItClosed:
    """faulty closed-not-reused, closed-transport-reused: closes what comes back, and puts it onto its free list. [also turns-failed first-turn close-spares-others]"""

    def __init__(self):
        self._free = []

    def acquire(self):
        return self._free.pop() if self._free else OpenAI()

    def release(self, client):
        client.close()
        self._free.append(client)

    def close(self):
        pass


class NeverTakesFromItsList(Kept):
    """faulty close-wait-grows: what comes back is kept "for later", and the next turn gets a new one all the same."""

    def acquire(self):
        return self.make()


class ClosesNothing:
    """faulty close-releases: the free list is forgotten when the pool ends."""

    def __init__(self):
        self._free = []

    def acquire(self):
        return self._free.pop() if self._free else OpenAI()

    def release(self, client):
        self._free.append(client)

    def close(self):
        pass


class ForgetsToClose(Kept):
    """faulty close-releases, close-wait-grows: every turn's client is kept, and the end closes the last one only."""

    def acquire(self):
        return self.make()

    def close(self):
        self.made[-1].close()


class AThreadForEachAcquire(Kept):
    """faulty threads-grow: a watchdog for each turn, which no release ends."""

    def acquire(self):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        return self.made[0] if self.made else self.make()


class AFileForEachAcquire(Kept):
    """faulty descriptors-grow: a transcript is opened for each turn and never closed."""

    def acquire(self):
        os.open(os.devnull, os.O_WRONLY)
        return self.made[0] if self.made else self.make()


class ReleaseClosesAll(Kept):
    """faulty close-spares-others: giving one client back closes all that are out. [also stream-killed closed-transport-reused turns-failed closed-not-reused]"""

    def acquire(self):
        return self.make()

    def release(self, client):
        for one in self.made:
            one.close()
        self.made.clear()


class ReplacedWhileInUse:
    """faulty close-spares-others|stream-killed|closed-transport-reused: the client is replaced at every fourth release, whoever still reads from it. [also turns-failed close-spares-others stream-killed closed-transport-reused]"""

    def __init__(self):
        self._client, self._served = OpenAI(), 0

    def acquire(self):
        return self._client

    def release(self, client):
        self._served += 1
        if self._served % 4 == 0:
            self._client.close()
            self._client = OpenAI()

    def close(self):
        self._client.close()


class EvictsWhatIsInUse:
    """faulty close-spares-others|stream-killed|closed-transport-reused|turns-failed: room for one, and the next acquire closes the last client, read or not. [also turns-failed]"""

    def __init__(self):
        self._client = None

    def acquire(self):
        if self._client is not None:
            self._client.close()
        self._client = OpenAI()
        return self._client

    def release(self, client):
        pass

    def close(self):
        self._client.close()


class LosesAPlaceAtEachTurn(Kept):
    """faulty worker-hung: eight places, and none is ever given back: a later acquire waits for ever. [slow] [also close-releases]"""

    def __init__(self):
        super().__init__()
        self._places = threading.Semaphore(8)

    def acquire(self):
        self._places.acquire()
        return self.made[0] if self.made else self.make()


class AsyncKeepsWhatComesBack:
    """faulty close-wait-grows, close-releases: asynchronous clients are put aside at their release and never closed."""

    def __init__(self):
        self._old = []

    async def acquire(self):
        return AsyncOpenAI()

    async def release(self, client):
        self._old.append(client)

    async def close(self):
        pass


class LimitsOfHttpx(Kept):
    """faulty default-limits: an injected http_client brings httpx's 100 connections and 20 kept alive."""

    def make(self):
        self.made.append(OpenAI(http_client=DefaultHttpxClient.__mro__[1]()))
        return self.made[-1]

    def acquire(self):
        return self.made[0] if self.made else self.make()


class EveryThirdIsLost:
    """faulty close-wait-grows|close-releases: a free list from which every third client that comes back is dropped into a list of "old" ones."""

    def __init__(self):
        self._old, self._turns = [], 0

    def acquire(self):
        return OpenAI()

    def release(self, client):
        self._turns += 1
        if self._turns % 3:
            client.close()
        else:
            self._old.append(client)

    def close(self):
        pass
