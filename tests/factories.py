"""Client factories as users write them: right ones, such as break one promise each, and such as break down.

Runs in the interpreter under test: Python 3.9, openai 2.24 to 3.x.
"""

import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import weakref

from openai import DEFAULT_CONNECTION_LIMITS as LIMITS
from openai import AsyncOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI

http = sys.modules[DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]  # httpx, or httpx2 with openai 3
ASK_KEEPALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]


def client(**kwargs):
    """An http client as the SDK would make it, but for what is named."""
    return DefaultHttpxClient(**kwargs)


# --- right ones --------------------------------------------------------------------------------------


def right(kwargs):
    return OpenAI(**kwargs)


def right_async(kwargs):
    return AsyncOpenAI(**kwargs)


async def right_coroutine(kwargs):
    return AsyncOpenAI(**kwargs)


def right_injected(kwargs):
    return OpenAI(**dict(kwargs, http_client=client()))


def right_injected_async(kwargs):
    return AsyncOpenAI(**dict(kwargs, http_client=DefaultAsyncHttpxClient()))


class RightPool:
    """One client for all who ask, closed with the pool."""

    def __init__(self):
        self._client = OpenAI()

    def acquire(self):
        return self._client

    def release(self, client):
        pass

    def close(self):
        self._client.close()


class AsyncPool:
    def __init__(self, client_kwargs):
        self._client = AsyncOpenAI(**client_kwargs)

    async def acquire(self):
        return self._client

    async def release(self, client):
        pass

    async def close(self):
        await self._client.close()


class Subclass(OpenAI):
    pass


instance = OpenAI()
async_instance = AsyncOpenAI()


def right_of_the_other_family(kwargs):
    """openai 3 takes httpx's clients, too."""
    import httpx

    limits = httpx.Limits(max_connections=1000, max_keepalive_connections=100)
    return OpenAI(**dict(kwargs, http_client=httpx.Client(limits=limits)))


def right_aio(kwargs):
    from openai import DefaultAioHttpClient

    return AsyncOpenAI(**dict(kwargs, http_client=DefaultAioHttpClient()))


# --- such as break one promise each ------------------------------------------------------------------


def adds_to_headers(kwargs):
    kwargs.setdefault("default_headers", {})["x-added"] = "1"
    return OpenAI(**kwargs)


class _Unclosable(http.HTTPTransport):
    def close(self):
        pass

    def __exit__(self, *exc_info):
        pass


_transport = _Unclosable(limits=LIMITS)


def shares_transport(kwargs):
    made = client()  # and so heeds the environment
    made._transport = _transport
    return OpenAI(**dict(kwargs, http_client=made))


class ReusesClosed:
    def __init__(self, client_kwargs):
        self._kwargs = client_kwargs
        self._free = []

    def acquire(self):
        return self._free.pop() if self._free else OpenAI(**self._kwargs)

    def release(self, client):
        client.close()
        self._free.append(client)

    def close(self):
        pass


_made = weakref.WeakSet()


class _ClosesAll(OpenAI):
    def close(self):
        for one in list(_made):
            OpenAI.close(one)
        _made.clear()


def closes_others(kwargs):
    made = _ClosesAll(**kwargs)
    _made.add(made)
    return made


def impatient(kwargs):
    return OpenAI(**dict(kwargs, timeout=7.0))


def impatient_async(kwargs):
    return AsyncOpenAI(**dict(kwargs, timeout=7.0))


def small_pool(kwargs):
    return OpenAI(**dict(kwargs, http_client=client(limits=http.Limits(max_connections=10))))


def small_mount(kwargs):
    return OpenAI(**dict(kwargs, http_client=client(mounts={"http://": http.HTTPTransport()})))


def loses_keepalive(kwargs):
    asked = http.HTTPTransport(limits=LIMITS, socket_options=ASK_KEEPALIVE)
    mounted = client(mounts={"ftp://": asked})
    return OpenAI(**dict(kwargs, http_client=mounted))


def delays(kwargs):
    def delay(response):
        sock = response.extensions["network_stream"].get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)

    return OpenAI(**dict(kwargs, http_client=client(event_hooks={"response": [delay]})))


def ignores_proxy(kwargs):
    return OpenAI(**dict(kwargs, http_client=client(transport=http.HTTPTransport(limits=LIMITS))))


def ignores_no_proxy(kwargs):
    return OpenAI(**dict(kwargs, http_client=client(proxy=os.environ.get("HTTPS_PROXY"))))


def ignores_ca_file(kwargs):
    import certifi  # not of openai 3's

    context = ssl.create_default_context(cafile=certifi.where())
    return OpenAI(**dict(kwargs, http_client=client(verify=context)))


def retries_anyway(kwargs):
    return OpenAI(**dict(kwargs, max_retries=2))


class _Unclosed(OpenAI):
    def close(self):
        pass


def never_closes(kwargs):
    return _Unclosed(**kwargs)


class _Once(OpenAI):
    done = False

    def close(self):
        if self.done:
            raise RuntimeError("already closed")
        self.done = True
        super().close()


def closes_once(kwargs):
    return _Once(**kwargs)


class _OnceAsync(AsyncOpenAI):
    done = False

    async def close(self):
        if self.done:
            raise RuntimeError("already closed")
        self.done = True
        await super().close()


def closes_once_async(kwargs):
    return _OnceAsync(**kwargs)


class _Threaded(OpenAI):
    def close(self):
        super().close()
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()


def leaves_threads(kwargs):
    return _Threaded(**kwargs)


_all = []


def remembers(kwargs):
    _all.append(OpenAI(**kwargs))
    return _all[-1]


def takes_a_key(kwargs):
    return OpenAI(base_url=kwargs.pop("base_url"), **kwargs)


def trusts_anyone(kwargs):
    return OpenAI(**dict(kwargs, http_client=client(verify=False)))


class _Hidden(http.BaseTransport):
    def handle_request(self, request):
        return _transport.handle_request(request)


def hides_a_pool(kwargs):
    made = client()
    made._transport = _Hidden()
    return OpenAI(**dict(kwargs, http_client=made))


class _Hasty(http.HTTPTransport):
    def handle_request(self, request):
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), 5)
        return super().handle_request(request)


def asks_less_on_the_wire(kwargs):
    made = client()
    made._transport = _Hasty(limits=LIMITS)
    return OpenAI(**dict(kwargs, http_client=made))


impatient_instance = OpenAI(timeout=5)
impatient_async_instance = AsyncOpenAI(timeout=5)


def hands_out_closed(kwargs):
    made = OpenAI(**kwargs)
    made.close()
    return made


def mutates(kwargs):
    """The bug report's own."""
    if "http_client" not in kwargs:
        kwargs["http_client"] = http.Client()
    return OpenAI(**kwargs)


# --- such as break down ------------------------------------------------------------------------------

SECRET = "sk-do-not-print-me"


def raises(kwargs):
    raise ValueError(SECRET)


def hangs(kwargs):
    time.sleep(600)


def nothing(kwargs):
    return None


def holds_the_interpreter(kwargs):
    re.match(r"(a+)+$", "a" * 60 + "b")


def leaves(kwargs):
    sys.exit(0)


def leaves_at_once(kwargs):
    os._exit(0)


def imports(kwargs):
    import nowhere_to_be_found  # noqa: F401


def calls_home(kwargs):
    socket.create_connection(("192.0.2.1", 80), 5)


number = 5


# --- such as misbehave, and yet hand out good clients --------------------------------------------------


def prints(kwargs):
    print("x" * 3_000_000)
    return OpenAI(**kwargs)


def forks(kwargs):
    os.fork()
    return OpenAI(**kwargs)


_closed = []


def closes_stdout(kwargs):
    if not _closed:
        os.close(1)
        _closed.append(1)
    return OpenAI(**kwargs)


def starts_threads(kwargs):
    threading.Thread(target=time.sleep, args=(600,)).start()
    return OpenAI(**kwargs)


def starts_daemon(kwargs):
    subprocess.Popen(["sleep", "613"], start_new_session=True)
    return OpenAI(**kwargs)


def points_elsewhere(kwargs):
    return OpenAI(**dict(kwargs, base_url="https://192.0.2.1/v1"))


def patches(kwargs):
    """Breaks every client of the process, on openai 2 and 3 alike."""

    def send(*args, **kwargs):
        raise RuntimeError(SECRET)

    http.Client.send = send
    return OpenAI(**kwargs)
