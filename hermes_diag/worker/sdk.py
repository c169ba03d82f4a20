"""The only file of the project that imports openai, httpx or httpx2.

It offers what the strategies and the drivers need of the SDK under names that hold on openai 2.24 to 3.x, and turns
exceptions into strings: an exception that is kept holds a traceback, which keeps a client alive and looks like a leak.
"""

import inspect
import platform
import socket
import sys
import time
from urllib.request import getproxies

_begun = time.perf_counter()
import openai  # noqa: E402 - the import is what is being timed

IMPORT_MS = (time.perf_counter() - _begun) * 1000

from . import sdk_version  # noqa: E402

sdk_version.require(getattr(openai, "__version__", "0"))  # before anything is used that an old release lacks

# openai 3 moved from httpx to httpx2; ask the SDK which of the two its own client is made of.
_http_name = openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]
http = sys.modules[_http_name]
_core_name = {"httpx": "httpcore", "httpx2": "httpcore2"}.get(_http_name, "httpcore")

from . import event_loop  # noqa: E402
from .contract import PHRASES, TURN_HEADER  # noqa: E402
from .inside import family, http_client_of  # noqa: E402

OpenAI = openai.OpenAI
CLIENTS = (openai.OpenAI, openai.AsyncOpenAI)
DEFAULT_TIMEOUT = openai.DEFAULT_TIMEOUT
DEFAULT_LIMITS = openai.DEFAULT_CONNECTION_LIMITS

#: What everything that drives a client asks of it.
_QUACKS = ("responses", "chat", "base_url", "timeout", "max_retries", "with_options", "close", "is_closed", "_client")

#: A base URL on loopback needs a key, and no real key may ever be sent to it.
LOCAL_KEY = "hermes-diag-local"


def stack():
    """Versions of everything that decides the outcome: a dict of Hello's fields."""
    return {
        "python": "%s %s" % (platform.python_implementation(), platform.python_version()),
        "openai": openai.__version__,
        "http": "%s %s" % (_http_name, http.__version__),
        "core": "%s %s" % (_core_name, _version(_core_name)),
        "h11": _version("h11"),
        "system": "%s %s %s" % (platform.system(), platform.release(), platform.machine()),
        "import_ms": IMPORT_MS,
        "max_connections": DEFAULT_LIMITS.max_connections,
        "max_keepalive": DEFAULT_LIMITS.max_keepalive_connections,
        "read_timeout": float(DEFAULT_TIMEOUT.read),
        "hermes": _version("hermes-agent", ""),
    }


def _version(name, unknown="?"):
    try:
        from importlib.metadata import version

        return version(name)
    except Exception:  # metadata may be missing in a vendored tree; the version is only shown
        return unknown


def keepalive_options():
    """The socket options of the change that brought the bug (upstream #10933)."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    idle = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))  # macOS' name
    interval, count = getattr(socket, "TCP_KEEPINTVL", None), getattr(socket, "TCP_KEEPCNT", None)
    for option, value in ((idle, 30), (interval, 10), (count, 3)):
        if option is not None:
            options.append((socket.IPPROTO_TCP, option, value))
    return options


def ssl_context():
    """One context for many clients: loading the CA bundle is nearly the whole price of a client."""
    return http.create_ssl_context()


def bare_keepalive_client():
    """What upstream injected: a keepalive transport, everything else httpx's own defaults."""
    return http.Client(transport=http.HTTPTransport(socket_options=keepalive_options()))


def kept_defaults_client(context):
    """A keepalive client with the SDK's default timeout and limits, the proxies of the environment, and a
    given SSLContext."""

    def transport(proxy=None):
        return http.HTTPTransport(
            socket_options=keepalive_options(), limits=DEFAULT_LIMITS, verify=context, proxy=proxy
        )

    return http.Client(
        transport=transport(),
        mounts=_proxies(transport),  # a client that is given a transport ignores them (#12008)
        limits=DEFAULT_LIMITS,
        timeout=DEFAULT_TIMEOUT,
        verify=context,
        follow_redirects=True,
    )


def _proxies(transport):
    """Mounts for the proxies that the environment names; None stands for the client's own transport."""
    proxies = getproxies()
    mounts = {scheme + "://": transport(proxies[scheme]) for scheme in ("http", "https", "all") if scheme in proxies}
    spared = [host.strip() for host in proxies.get("no", "").split(",") if host.strip()] if mounts else []
    if "*" in spared:
        return {}
    for host in spared:
        # A name stands for its subdomains too, an address for itself.
        mounts["all://" + (host if host.replace(".", "").isdigit() else "*" + host.lstrip("."))] = None
    return mounts


def close(client):
    """Close a client of either kind."""
    event_loop.settled(client.close())


def lead_to(client, base_url):
    """Have a client that was built for another server talk to ours."""
    ours = http.URL(base_url)
    if (client.base_url.host, client.base_url.port) != (ours.host, ours.port):
        client.base_url = base_url


def is_client(thing):
    """Whether it is a client, or behaves like one: a proxy object around it."""
    return isinstance(thing, CLIENTS) or (not inspect.isclass(thing) and all(hasattr(thing, name) for name in _QUACKS))


def is_async(client):
    return isinstance(client, openai.AsyncOpenAI) or inspect.iscoroutinefunction(
        getattr(type(http_client_of(client)), "send", None)
    )


def open_stream(client, api, body, headers, timeout=None, connect=None):
    """Send the payload as the gateway would; returns the SDK's Stream of typed events.

    `timeout` is (seconds for connect, read and write; seconds to wait for a free connection); without
    one the SDK decides. `connect` is a connect timeout of its own. Keys that this SDK's signature does not know
    (a newer Hermes, an older openai) go into the body all the same.
    """
    create = client.responses.create if api == "responses" else client.chat.completions.create
    known = inspect.signature(create).parameters
    extra = {key: value for key, value in body.items() if key not in known}
    named = {key: value for key, value in body.items() if key in known}
    named["stream"] = True
    if timeout is not None:
        # The client's own family: the other one's Timeout fails at the request.
        kind = (family(client) or http).Timeout
        named["timeout"] = kind(timeout[0], pool=timeout[1], connect=float(connect or timeout[0]))
    stream = create(extra_headers=headers, extra_body=extra or None, **named)
    return AsyncReading(event_loop.run(stream)) if is_async(client) else stream


class AsyncReading:
    """An AsyncStream that is read from outside its event loop, with the methods of a Stream."""

    def __init__(self, stream):
        self._stream = stream
        self._events = stream.__aiter__()

    @property
    def response(self):
        return self._stream.response

    def __iter__(self):
        return iter(self._next, None)

    def _next(self):
        return event_loop.run(self._event_or_none())

    async def _event_or_none(self):
        try:
            return await self._events.__anext__()
        except StopAsyncIteration:
            return None

    def close(self):
        event_loop.run(self._stream.close())


def is_terminal(api, event):
    """Whether an event ends its stream: a stream without such an event was cut."""
    if api == "responses":
        return event.type in ("response.completed", "response.incomplete", "response.failed")
    return any(choice.finish_reason for choice in event.choices)


def shut_down(stream):
    """End both directions of a stream's connection; its reader wakes up. Closes nothing."""
    network = stream.response.extensions["network_stream"]
    network.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def tell_events(told, module=openai):
    """From now on call `told(turn)` for each event that is read of a stream, before its reader sees it. module: the SDK
    whose streams those are."""

    def __iter__(stream):  # as the SDK's own, which is these two lines without the call
        turn = stream.response.request.headers.get(TURN_HEADER)
        for item in stream._iterator:
            if turn:
                told(turn)
            yield item

    module.Stream.__iter__ = __iter__


def warm(api, reply):
    """Let the SDK parse one canned reply in memory: no socket, no connection.

    The first reply of a process costs half a second of imports and pydantic schemas. A lane pays it
    once, so that the processes it forks begin with what a gateway has after its first minute.
    """
    canned = http.MockTransport(
        lambda request: http.Response(200, headers={"content-type": "text/event-stream"}, content=reply)
    )
    with OpenAI(api_key=LOCAL_KEY, base_url="http://127.0.0.1:9", http_client=http.Client(transport=canned)) as client:
        body = {"model": "gpt-5", ("input" if api == "responses" else "messages"): []}
        for _ in open_stream(client, api, body, None):
            pass


def describe(exc):
    """An exception as the fields of TurnDone: classes of the cause chain, errno, phrase, status."""
    chain, errno, phrase, status = [], None, None, None
    while exc is not None and len(chain) < 12:
        chain.append("%s.%s" % (type(exc).__module__.partition(".")[0], type(exc).__name__))
        if errno is None and isinstance(exc, OSError):
            errno = exc.errno
        if status is None:
            status = getattr(exc, "status_code", None)
        if phrase is None and isinstance(exc, RuntimeError):
            phrase = next((known for known in PHRASES if known in str(exc)), None)
        # Also a suppressed context: httpcore re-raises `from None`, and the errno is behind it.
        exc = exc.__cause__ or exc.__context__
    return {"chain": tuple(chain), "errno": errno, "phrase": phrase, "status": status}
