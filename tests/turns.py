"""Turns and pools as users write them: sound ones, such as break, and such as hang. Runs where factories.py does."""

import asyncio
import socket
import threading
import time
from urllib.parse import urlsplit
from urllib.request import getproxies

from openai import APIStatusError, AsyncOpenAI, AzureOpenAI, DefaultHttpxClient, OpenAI

BODY = {"model": "gpt-5", "input": "hi", "stream": True}
_kept = []


def plain(base_url, session):
    with OpenAI(base_url=base_url) as client:
        for _ in client.responses.create(**BODY):
            pass


async def coroutine(base_url, session):
    async with AsyncOpenAI(base_url=base_url) as client:
        async for _ in await client.responses.create(**BODY):
            pass


def generator(base_url, session):
    with OpenAI(base_url=base_url) as client:
        yield from client.responses.create(**BODY)


async def async_generator(base_url, session):
    async with AsyncOpenAI(base_url=base_url) as client:
        async for event in await client.responses.create(**BODY):
            yield event


def azure(base_url, session):
    end = base_url[: -len("/v1")]
    with AzureOpenAI(azure_endpoint=end, api_version="2025-03-01-preview", api_key="local") as client:
        client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "hi"}])
        for _ in client.responses.create(**BODY):
            pass


def leaks(base_url, session):
    _kept.append(OpenAI(base_url=base_url))
    for _ in _kept[-1].responses.create(**BODY):
        pass


def drops(base_url, session):
    """A client that is dropped is in a circle with its own resources: the collector finds it."""
    for _ in OpenAI(base_url=base_url).responses.create(**BODY):
        pass


_three = threading.Barrier(3)


def three_at_once(base_url, session):
    """Waits for two others: turns one after the other fail."""
    _three.wait(2)
    plain(base_url, session)


def past_the_proxy(base_url, session):
    import httpx  # not a module that openai 3 brings along

    with OpenAI(base_url=base_url, http_client=DefaultHttpxClient(transport=httpx.HTTPTransport())) as client:
        for _ in client.responses.create(**BODY):
            pass


def keeps_what_has_failed(base_url, session):
    client = OpenAI(base_url=base_url, max_retries=0)
    try:
        for _ in client.responses.create(**BODY):
            pass
    except Exception as exc:
        _kept.append((client, exc))
        host, port = urlsplit(getproxies()["https"]).netloc.split(":")
        _kept.append(socket.create_connection((host, int(port))))
        raise
    client.close()


async def cancelled_in_peace(base_url, session):
    async with AsyncOpenAI(base_url=base_url) as client:
        await client.models.list()


async def leaks_when_cancelled_connecting(base_url, session):
    """What has made the connection is not told of the cancellation: nobody closes it."""
    host, port = base_url.split("/")[2].split(":")
    made = asyncio.ensure_future(asyncio.open_connection(host, int(port)))
    _kept.append(made)
    await asyncio.shield(made)
    _kept.remove(made)
    made.result()[1].close()


async def leaks_when_cancelled(base_url, session):
    client = AsyncOpenAI(base_url=base_url)
    await asyncio.gather(client.models.list(), client.models.list())  # two connections, of which one stays idle
    try:
        async for _ in await client.responses.create(**BODY):
            pass
    except asyncio.CancelledError:
        _kept.append(client)
        raise
    await client.close()


_last = []


def closes_what_others_read(base_url, session):
    """Each turn replaces the module's client, and closes the last one."""
    if _last:
        _last.pop().close()
    _last.append(OpenAI(base_url=base_url))
    for _ in _last[-1].responses.create(**BODY):
        pass


_turns = []


def now_and_then(base_url, session):
    """A client in three is kept; closed are all that are interrupted."""
    client = OpenAI(base_url=base_url)
    yield from client.responses.create(**BODY)
    _turns.append(session)
    if len(_turns) % 3:
        client.close()
    else:
        _kept.append(client)


_places = []


async def loses_its_place(base_url, session):
    """Who is cancelled does not give its place back: from the third turn on nobody gets one."""
    if not _places:
        _places.append(asyncio.Semaphore(2))
    await _places[0].acquire()
    async with AsyncOpenAI(base_url=base_url) as client:
        async for _ in await client.responses.create(**BODY):
            pass
    _places[0].release()


def one_after_the_other(base_url, session):
    """Turns wait for each other."""
    with _lock, OpenAI(base_url=base_url) as client:
        for _ in client.responses.create(**BODY):
            pass


_lock = threading.Lock()


def raises(base_url, session):
    raise KeyError("sk-do-not-print-me")


class LosesPlaces:
    """A place is given back only by a turn that was read to its end: the fourth acquire never returns."""

    def __init__(self, kwargs):
        self._client = OpenAI(**kwargs)
        self._places = threading.Semaphore(3)

    def acquire(self):
        self._places.acquire()
        return self._client

    def release(self, client):
        pass

    def close(self):
        self._client.close()


class OneAtATime:
    """Who comes second waits."""

    def __init__(self, kwargs):
        self._client = OpenAI(**kwargs)
        self._place = threading.Semaphore(1)

    def acquire(self):
        self._place.acquire()
        return self._client

    def release(self, client):
        self._place.release()

    def close(self):
        self._client.close()


class BySession:
    """A client for each session, closed at the end."""

    def __init__(self, kwargs):
        self._kwargs, self._clients = kwargs, {}

    def acquire(self, session):
        if session not in self._clients:
            self._clients[session] = OpenAI(**self._kwargs)
        return self._clients[session]

    def release(self, client):
        pass

    def close(self):
        for client in self._clients.values():
            client.close()


class FillsUp(BySession):
    """Twenty clients for good, the next one for whoever asks."""

    most = 20

    def __init__(self, kwargs):
        super().__init__(kwargs)
        self._asked = 0

    def acquire(self):
        self._asked += 1
        return super().acquire(self._asked % self.most)


class NeverFull(FillsUp):
    """The same without an end."""

    most = 10**9


_one = []


def cached(kwargs):
    """The same client for all who ask."""
    if not _one:
        _one.append(OpenAI(**kwargs))
    return _one[0]


class Proxy:
    """What tracers put around a client."""

    def __init__(self, client):
        self._inner = client

    def __getattr__(self, name):
        return getattr(self._inner, name)


def proxied(kwargs):
    return Proxy(OpenAI(**kwargs))


def own_headers(kwargs):
    return OpenAI(**kwargs, default_headers={"x-app": "1"}, default_query={"a": "1"})


def far_away(kwargs):
    return OpenAI(**kwargs, http_client=DefaultHttpxClient(proxy="http://10.1.2.3:3128"))


class Brisk(OpenAI):
    """The SDK's own retries, without its waits."""

    def _calculate_retry_timeout(self, *args, **kwargs):
        return 0.01


def _read(client, **other):
    for _ in client.responses.create(**{**BODY, **other}):
        pass


def _tries(client, times, wait=lambda exc: None, **other):
    """As an application does that retries by itself, whatever went wrong."""
    with client:
        for left in reversed(range(times)):
            try:
                return _read(client, **other)
            except APIStatusError as exc:
                if not left:
                    raise
                wait(exc)


def hurries(base_url, session):
    _tries(OpenAI(base_url=base_url, max_retries=0), 3)


def waits_as_told(base_url, session):
    _tries(
        OpenAI(base_url=base_url, max_retries=0),
        3,
        lambda exc: time.sleep(float(exc.response.headers["retry-after-ms"]) / 1000),
    )


def multiplies(base_url, session):
    _tries(Brisk(base_url=base_url), 3)


def retries_once(base_url, session):
    _tries(Brisk(base_url=base_url), 1)


def of_the_sdk(client_kwargs):
    """With the SDK's own retries, though the loop has some."""
    return OpenAI(**{**client_kwargs, "max_retries": 2})


def brisk(client_kwargs):
    return Brisk(**{**client_kwargs, "max_retries": 2})


def tries_once(base_url, session):
    _tries(OpenAI(base_url=base_url, max_retries=0), 1)


def asks_too_much(base_url, session):
    _tries(OpenAI(base_url=base_url, max_retries=0), 3, input="word " * 200)
