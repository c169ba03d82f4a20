"""Factories that keep something: a client, an http_client, a transport, a view of a pool."""

import contextvars
import functools
import itertools
import sys
import threading
import weakref

from openai import DEFAULT_CONNECTION_LIMITS as LIMITS
from openai import AsyncOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI

http = sys.modules[DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]  # httpx, or httpx2 with openai 3
_lock = threading.Lock()


# --- sound: who is handed a client that is kept does not close it ------------------------------------

_one = []


def singleton(kwargs):
    """healthy: one client for the process, made at the first call; the SDK's recommended use."""
    with _lock:
        if not _one:
            _one.append(OpenAI(**kwargs))
    return _one[0]


def singleton_async(kwargs):
    """healthy: the same, asynchronous."""
    if not _one:
        _one.append(AsyncOpenAI(**kwargs))
    return _one[0]


@functools.lru_cache(maxsize=4)
def _cached(base_url, api_key, max_retries):
    return OpenAI(base_url=base_url, api_key=api_key, max_retries=max_retries)


def cached_by_lru_cache(kwargs):
    """healthy: functools.lru_cache by base URL, key and retries. [also max-retries]"""
    return _cached(kwargs["base_url"], kwargs["api_key"], kwargs["max_retries"])


_by_key = {}


def cached_by_key(kwargs):
    """healthy: a dict from settings to clients."""
    key = repr(sorted((name, value) for name, value in kwargs.items() if isinstance(value, (str, int))))
    if key not in _by_key:
        _by_key[key] = OpenAI(**kwargs)
    return _by_key[key]


def made_anew_when_it_was_closed(kwargs):
    """healthy: one client for the process, replaced if somebody has closed it."""
    if not _one or _one[0].is_closed():
        _one[:] = [OpenAI(**kwargs)]
    return _one[0]


_weakly = weakref.WeakValueDictionary()


def kept_while_somebody_has_it(kwargs):
    """healthy: a weak dictionary: the same client for all who have one at the same time."""
    client = _weakly.get("client")
    if client is None:
        client = _weakly["client"] = OpenAI(**kwargs)
    return client


_of_context = contextvars.ContextVar("client", default=None)


def one_for_each_context(kwargs):
    """healthy: a contextvar holds the client of this thread or task."""
    client = _of_context.get()
    if client is None:
        client = OpenAI(**kwargs)
        _of_context.set(client)
    return client


_of_thread = threading.local()


def one_for_each_thread(kwargs):
    """healthy: threading.local() holds the client of this thread, and lets go of it with the thread."""
    if not hasattr(_of_thread, "client"):
        _of_thread.client = OpenAI(**kwargs)
    return _of_thread.client


_of_loop = weakref.WeakKeyDictionary()


async def one_for_each_event_loop(kwargs):
    """healthy: an asynchronous client for each running loop."""
    import asyncio

    loop = asyncio.get_running_loop()
    if loop not in _of_loop:
        _of_loop[loop] = AsyncOpenAI(**kwargs)
    return _of_loop[loop]


_pair = []


def two_in_turn(kwargs):
    """healthy: two clients for the process, handed out in turn; nobody is to close what is kept. [also clients-separate]"""
    if not _pair:
        _pair.append(itertools.cycle([OpenAI(**kwargs), OpenAI(**kwargs)]))
    return next(_pair[0])


# --- one pool on purpose: closing a view closes nothing ----------------------------------------------

_pool = []


class _View(OpenAI):
    def close(self):
        pass  # the process owns the pool


def views_of_one_pool(kwargs):
    """choice clients-separate: a process-wide pool behind views whose close closes nothing."""
    if not _pool:
        _pool.append(DefaultHttpxClient())
    return _View(**dict(kwargs, http_client=_pool[0]))


class _AsyncView(AsyncOpenAI):
    async def close(self):
        pass


def views_of_one_pool_async(kwargs):
    """choice clients-separate: the same, asynchronous."""
    if not _pool:
        _pool.append(DefaultAsyncHttpxClient())
    return _AsyncView(**dict(kwargs, http_client=_pool[0]))


def views_where_separate_was_meant(kwargs):
    """faulty clients-separate: the same pool, and its user says that clients are to be separate. [expect separate]"""
    return views_of_one_pool(kwargs)


class _Unclosable(http.HTTPTransport):
    def close(self):
        pass

    def __exit__(self, *exc_info):
        pass


_transport = _Unclosable(limits=LIMITS)


def own_clients_over_one_transport(kwargs):
    """choice clients-separate: http_clients of their own over one transport that cannot be closed."""
    made = DefaultHttpxClient()
    made._transport = _transport
    return OpenAI(**dict(kwargs, http_client=made))


class _Counted:
    """An http_client that lives as long as somebody uses it."""

    def __init__(self):
        self.users, self.http_client, self.lock = 0, None, threading.Lock()

    def enter(self):
        with self.lock:
            self.users += 1
            if self.users == 1:
                self.http_client = DefaultHttpxClient()
            return self.http_client

    def leave(self):
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self.http_client.close()


_counted = _Counted()


class _User(OpenAI):
    gone = False

    def close(self):
        if not self.gone:
            self.gone = True
            _counted.leave()

    def __del__(self):
        self.close()


def shared_while_it_is_used(kwargs):
    """choice clients-separate: one pool for all, closed by whoever leaves last."""
    return _User(**dict(kwargs, http_client=_counted.enter()))


# --- faulty ------------------------------------------------------------------------------------------


def copies_of_one_client(kwargs):
    """faulty closed-not-reused, clients-separate, closed-transport-reused: with_options shares the http_client, so the first close closes it for all. [also close-spares-others stream-killed turns-failed]"""
    if not _one:
        _one.append(OpenAI(**kwargs))
    return _one[0].with_options(default_headers={"x-turn": "1"})


def copies_of_one_client_async(kwargs):
    """faulty closed-not-reused, clients-separate, closed-transport-reused: the same, asynchronous. [also close-spares-others stream-killed turns-failed]"""
    if not _one:
        _one.append(AsyncOpenAI(**kwargs))
    return _one[0].with_options(default_headers={"x-turn": "1"})


def one_http_client_for_all(kwargs):
    """faulty closed-not-reused, clients-separate, closed-transport-reused: clients share an http_client, and each of them closes it. [also close-spares-others stream-killed turns-failed]"""
    if not _pool:
        _pool.append(DefaultHttpxClient())
    return OpenAI(**dict(kwargs, http_client=_pool[0]))


def one_http_client_made_anew_when_closed(kwargs):
    """faulty close-spares-others, clients-separate: a closed http_client is replaced, and yet its close takes the streams of others. [also drop-releases stream-killed closed-transport-reused turns-failed]"""
    if not _pool or _pool[0].is_closed:
        _pool[:] = [DefaultHttpxClient()]
    return OpenAI(**dict(kwargs, http_client=_pool[0]))


_shared_transport = http.HTTPTransport(limits=LIMITS)


def own_clients_over_a_transport_that_closes(kwargs):
    """faulty close-spares-others, clients-separate: http_clients of their own over one transport, which each of them closes. [also stream-killed close-releases drop-releases closed-not-reused turns-failed]"""
    made = DefaultHttpxClient()
    made._transport = _shared_transport
    return OpenAI(**dict(kwargs, http_client=made))


_every = []


class _Remembered(OpenAI):
    """Known to a registry from its first request on."""

    def request(self, *args, **kwargs):
        _every.append(self)
        return super().request(*args, **kwargs)


def known_from_its_first_request(kwargs):
    """faulty drop-releases: a registry of clients that have made a request holds them for ever."""
    return _Remembered(**kwargs)
