"""Factories that make a new client for each call: client_kwargs in, a client out, which its caller closes."""

import atexit
import collections
import functools
import logging
import os
import socket
import ssl
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import openai
from openai import DEFAULT_CONNECTION_LIMITS as LIMITS
from openai import AsyncOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI

http = sys.modules[DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]  # httpx, or httpx2 with openai 3


# --- sound -------------------------------------------------------------------------------------------


def plain(kwargs):
    """healthy: nothing but the SDK's own client."""
    return OpenAI(**kwargs)


def plain_async(kwargs):
    """healthy: the same, asynchronous."""
    return AsyncOpenAI(**kwargs)


async def made_by_a_coroutine(kwargs):
    """healthy: the factory itself is awaited."""
    return AsyncOpenAI(**kwargs)


def own_http_client(kwargs):
    """healthy: an http_client of its own with the SDK's defaults, written into a copy of the dict."""
    return OpenAI(**dict(kwargs, http_client=DefaultHttpxClient()))


def own_http_client_async(kwargs):
    """healthy: the same, asynchronous."""
    return AsyncOpenAI(**dict(kwargs, http_client=DefaultAsyncHttpxClient()))


def headers_of_the_app(kwargs):
    """healthy: it gives default_headers of its own, so nobody else may give them by the same keyword."""
    return OpenAI(**kwargs, default_headers={"x-app": "1"})


def headers_merged(kwargs):
    """healthy: it adds to the caller's headers, in a copy."""
    return OpenAI(**dict(kwargs, default_headers={**kwargs.get("default_headers", {}), "x-app": "1"}))


_context = ssl.create_default_context()


def one_ssl_context_for_all(kwargs):
    """healthy: clients share an SSLContext, which nobody closes; it was made before SSL_CERT_FILE was set. [also ca-file-honoured]"""
    return OpenAI(**dict(kwargs, http_client=DefaultHttpxClient(verify=_context)))


class ClientThatLogsItsClose(OpenAI):
    """healthy: a subclass that says when it is closed."""

    def close(self):
        logging.getLogger("app").debug("closed")
        super().close()


class Traced:
    """Stands around a client, as tracers and Instructor do."""

    def __init__(self, client):
        self.__dict__["_wrapped"] = client

    def __getattr__(self, name):
        return getattr(self.__dict__["_wrapped"], name)

    def __setattr__(self, name, value):
        setattr(self.__dict__["_wrapped"], name, value)


def behind_a_tracer(kwargs):
    """healthy: an object that passes everything on to the client it stands around."""
    return Traced(OpenAI(**kwargs))


def behind_a_tracer_async(kwargs):
    """healthy: the same around an asynchronous client."""
    return Traced(AsyncOpenAI(**kwargs))


def options_set_by_a_copy(kwargs):
    """healthy: with_options on a client that nobody else has."""
    return OpenAI(**kwargs).with_options(default_headers={"x-app": "1"})


def hook_that_looks_at_the_status(kwargs):
    """healthy: a response hook that reads the status and leaves the body alone."""
    statuses = collections.Counter()
    hooks = {"response": [lambda response: statuses.update([response.status_code])]}
    return OpenAI(**dict(kwargs, http_client=DefaultHttpxClient(event_hooks=hooks)))


def asks_for_the_models_first(kwargs):
    """healthy: a request beside each client's turns, over the same connection."""
    client = OpenAI(**kwargs)
    try:
        client.models.list()
    except openai.APIError:
        pass
    return client


def closes_itself_when_collected(kwargs):
    """healthy: a finaliser closes the http_client of a client that was dropped."""
    made = DefaultHttpxClient()
    client = OpenAI(**dict(kwargs, http_client=made))
    weakref.finalize(client, made.close)
    return client


_alive = weakref.WeakSet()


@atexit.register
def _close_all():
    for client in list(_alive):
        client.close()


def known_to_a_weak_registry(kwargs):
    """healthy: all clients are known by weak references, to be closed at the end of the process."""
    client = OpenAI(**kwargs)
    _alive.add(client)
    return client


_probe = []


def keeps_one_socket_for_life(kwargs):
    """healthy: one connection of its own for the life of the process, which does not grow."""
    if not _probe:
        url = http.URL(str(kwargs["base_url"]))
        _probe.append(socket.create_connection((url.host, url.port)))
    return OpenAI(**kwargs)


_log = []


def opens_its_log_at_the_first_call(kwargs):
    """healthy: one file for the life of the process."""
    if not _log:
        _log.append(open(os.devnull, "a"))
    _log[0].write("client\n")
    return OpenAI(**kwargs)


_four = ThreadPoolExecutor(4)


def tells_a_pool_of_four_threads(kwargs):
    """healthy: each call gives a task to an executor, which has four threads in the end."""
    _four.submit(time.sleep, 0)
    return OpenAI(**kwargs)


class _WithTimer(OpenAI):
    """Writes a line when it lives for too long."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.timer = threading.Timer(600, logging.warning, ["a client lives long"])
        self.timer.daemon = True
        self.timer.start()
        weakref.finalize(self, self.timer.cancel)

    def close(self):
        self.timer.cancel()
        self.timer.join()
        super().close()


def a_timer_that_its_close_ends(kwargs):
    """healthy: a thread for each client, which ends when the client is closed or collected."""
    return _WithTimer(**kwargs)


@functools.lru_cache(maxsize=None)
def _resolved(host, port, *rest, **also):
    return _getaddrinfo(host, port, *rest, **also)


_getaddrinfo = socket.getaddrinfo


def remembers_addresses(kwargs):
    """healthy: name lookups are cached for the process."""
    socket.getaddrinfo = _resolved
    return OpenAI(**kwargs)


_recent = collections.deque(maxlen=8)


def keeps_the_last_eight_in_sight(kwargs):
    """ambiguous: eight clients at most are kept from collection, also such as their caller dropped."""
    client = OpenAI(**kwargs)
    _recent.append(client)
    return client


def says_connection_close(kwargs):
    """healthy: each request asks for its connection to be closed; a client that lives for one turn loses nothing."""
    return OpenAI(**dict(kwargs, default_headers={"Connection": "close"}))


class _Patient(OpenAI):
    """Tries once more when there was no connection at all."""

    def request(self, *args, **kwargs):
        try:
            return super().request(*args, **kwargs)
        except openai.APITimeoutError:
            raise
        except openai.APIConnectionError:
            return super().request(*args, **kwargs)


def tries_a_failed_connect_again(kwargs):
    """healthy: a wrapper that repeats what never reached the server, and nothing else."""
    return _Patient(**kwargs)


def a_loop_of_its_own_closed_at_once(kwargs):
    """healthy: makes an event loop for each client and closes it."""
    import asyncio

    loop = asyncio.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    return OpenAI(**kwargs)


# --- faulty ------------------------------------------------------------------------------------------


def bare_http_client_into_the_callers_dict(kwargs):
    """faulty kwargs-not-mutated, clients-separate, closed-not-reused, close-spares-others, default-limits, closed-transport-reused: the change of #10933, without its transport. [also stream-killed turns-failed close-releases]"""
    if "http_client" not in kwargs:
        kwargs["http_client"] = http.Client()
    return OpenAI(**kwargs)


def adds_to_the_callers_headers(kwargs):
    """faulty kwargs-not-mutated: the dict nested in the argument is the caller's."""
    kwargs.setdefault("default_headers", {})["x-app"] = "1"
    return OpenAI(**kwargs)


def pops_from_the_callers_dict(kwargs):
    """faulty kwargs-not-mutated: the next client from this dict has lost its base_url."""
    return OpenAI(base_url=kwargs.pop("base_url", os.environ["OPENAI_BASE_URL"]), **kwargs)


def writes_at_the_first_request(kwargs):
    """faulty kwargs-not-mutated: not the call but the first request writes into the caller's headers."""
    given = kwargs.get("default_headers")

    def count(request):
        if given is not None:
            given["x-requests"] = str(int(given.get("x-requests", "0")) + 1)

    return OpenAI(**dict(kwargs, http_client=DefaultHttpxClient(event_hooks={"request": [count]})))


_every = []


def remembers_every_client(kwargs):
    """faulty drop-releases: a list of all clients ever made keeps those alive that were dropped."""
    _every.append(OpenAI(**kwargs))
    return _every[-1]


def a_thread_for_each_client(kwargs):
    """faulty threads-grow, close-releases: a watchdog thread for each client, which no close ends. [also drop-releases]"""
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    return OpenAI(**kwargs)


_files = []


def a_file_for_each_client(kwargs):
    """faulty descriptors-grow, close-releases: a log file is opened for each client and never closed. [also drop-releases]"""
    _files.append(open(os.devnull, "a"))
    return OpenAI(**kwargs)


def a_pipe_for_each_client(kwargs):
    """faulty descriptors-grow, close-releases: a pipe to wake up a reader that nobody ever made. [also drop-releases]"""
    os.pipe()
    return OpenAI(**kwargs)


_loops = []


def an_event_loop_for_each_client(kwargs):
    """faulty descriptors-grow, close-releases: an event loop for each client, never closed: three descriptors. [also drop-releases]"""
    import asyncio

    _loops.append(asyncio.new_event_loop())
    return AsyncOpenAI(**kwargs)


_open = []


class _ForgetsItsHttpClient(OpenAI):
    def close(self):
        _open.append(self._client)  # "may still be of use"


def its_close_leaves_the_http_client_open(kwargs):
    """faulty close-releases, close-wait-grows: close() is there and closes nothing, and a list holds the pool. [also drop-releases]"""
    return _ForgetsItsHttpClient(**kwargs)


class _SaysItIsClosed(OpenAI):
    done = False

    def close(self):
        self.done = True
        _open.append(self)

    def is_closed(self):
        return self.done


def says_closed_and_holds_its_socket(kwargs):
    """faulty close-releases, close-wait-grows: is_closed() is true while the socket is held. [also drop-releases]"""
    return _SaysItIsClosed(**kwargs)


class _AsyncForgets(AsyncOpenAI):
    async def close(self):
        _open.append(self)


def its_close_closes_nothing_async(kwargs):
    """faulty close-releases, close-wait-grows: an asynchronous close() that keeps the client. [also drop-releases]"""
    return _AsyncForgets(**kwargs)


class _Once(OpenAI):
    done = False

    def close(self):
        if self.done:
            raise RuntimeError("already closed")
        self.done = True
        super().close()


def a_second_close_raises(kwargs):
    """faulty close-twice: a with-block and a finally both close it."""
    return _Once(**kwargs)


class _OnceAsync(AsyncOpenAI):
    done = False

    async def close(self):
        if self.done:
            raise RuntimeError("already closed")
        self.done = True
        await super().close()


def a_second_close_raises_async(kwargs):
    """faulty close-twice: the same, asynchronous."""
    return _OnceAsync(**kwargs)


class _DeletesItsParts(OpenAI):
    def close(self):
        super().close()
        del self._client


def a_second_close_misses_what_the_first_deleted(kwargs):
    """faulty close-twice: close() takes the client apart. [also closed-not-reused]"""
    return _DeletesItsParts(**kwargs)


_made = weakref.WeakSet()


class _ClosesAll(OpenAI):
    def close(self):
        for one in list(_made):
            OpenAI.close(one)
        _made.clear()


def one_close_closes_all(kwargs):
    """faulty close-spares-others: "cleanup" at the end of a turn closes every client there is. [also stream-killed closed-transport-reused turns-failed]"""
    made = _ClosesAll(**kwargs)
    _made.add(made)
    return made


def closed_before_it_is_handed_out(kwargs):
    """faulty closed-transport-reused: a with-block around the return. [also first-turn closed-not-reused turns-failed]"""
    with OpenAI(**kwargs) as made:
        return made


_nth = [0]


class _EveryThird(OpenAI):
    def close(self):
        _nth[0] += 1
        if _nth[0] % 3 == 0:
            _open.append(self)
        else:
            super().close()


def every_third_stays_open(kwargs):
    """faulty close-releases|close-wait-grows: one close of three is forgotten. [also drop-releases]"""
    return _EveryThird(**kwargs)


class _EverySeventh(OpenAI):
    def close(self):
        _nth[0] += 1
        if _nth[0] % 7 == 0:
            _open.append(self)
        else:
            super().close()


def every_seventh_stays_open(kwargs):
    """faulty close-releases|close-wait-grows: one close of seven is forgotten; few turns show it once or twice only. [also drop-releases]"""
    return _EverySeventh(**kwargs)


def a_thread_for_each_response(kwargs):
    """faulty threads-grow, close-releases: a hook starts a timer for each response and never cancels it. [also drop-releases]"""

    def late(response):
        timer = threading.Timer(600, logging.warning, ["late"])
        timer.daemon = True
        timer.start()

    return OpenAI(**dict(kwargs, http_client=DefaultHttpxClient(event_hooks={"response": [late]})))


class _Watched(http.SyncByteStream):
    """Writes down what was read of a body that was not read to its end."""

    def __init__(self, body):
        self._body, self._whole = body, False

    def __iter__(self):
        yield from self._body
        self._whole = True

    def close(self):
        if not self._whole:
            _files.append(open(os.devnull, "a"))
        self._body.close()


def a_file_for_each_interrupted_turn(kwargs):
    """faulty descriptors-grow: a file is left open by interrupted turns only. [also close-releases]"""

    def watch(response):
        response.stream = _Watched(response.stream)

    return OpenAI(**dict(kwargs, http_client=DefaultHttpxClient(event_hooks={"response": [watch]})))


def bare_transport_for_keepalive(kwargs):
    """faulty default-limits, proxy-honoured: a transport for the sake of keepalive brings httpx's limits and loses the proxies."""
    asked = http.HTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)])
    return OpenAI(**dict(kwargs, http_client=http.Client(transport=asked)))


def limits_kept_proxies_lost(kwargs):
    """faulty proxy-honoured: a transport with the SDK's limits still makes httpx ignore the environment."""
    return OpenAI(**dict(kwargs, http_client=DefaultHttpxClient(transport=http.HTTPTransport(limits=LIMITS))))


def limits_kept_proxies_lost_async(kwargs):
    """faulty proxy-honoured: the same, asynchronous."""
    made = DefaultAsyncHttpxClient(transport=http.AsyncHTTPTransport(limits=LIMITS))
    return AsyncOpenAI(**dict(kwargs, http_client=made))
