"""The only file of the project that imports openai, httpx or httpx2.

It names what the strategies and the loop need of the SDK in words that hold on openai 2.24 to 3.x,
and turns exceptions into strings: nothing here hands a live exception on, since a kept traceback
keeps a client alive and forges a leak.
"""

import inspect
import platform
import socket
import sys
import time

_begun = time.perf_counter()
import openai  # noqa: E402 - the import is what is being timed

IMPORT_MS = (time.perf_counter() - _begun) * 1000

# openai 3 moved from httpx to httpx2; ask the SDK which of the two its own client is made of.
_http_name = openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]
http = sys.modules[_http_name]
_core_name = {"httpx": "httpcore", "httpx2": "httpcore2"}.get(_http_name, "httpcore")

from .contract import PHRASES, TURN_HEADER  # noqa: E402

OpenAI = openai.OpenAI
DEFAULT_TIMEOUT = openai.DEFAULT_TIMEOUT
DEFAULT_LIMITS = openai.DEFAULT_CONNECTION_LIMITS

#: A base URL on loopback needs a key, and no real one may ever be near it.
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
    """A keepalive client with the SDK's default timeout and limits and a given SSLContext."""
    transport = http.HTTPTransport(socket_options=keepalive_options(), limits=DEFAULT_LIMITS, verify=context)
    return http.Client(
        transport=transport, limits=DEFAULT_LIMITS, timeout=DEFAULT_TIMEOUT, verify=context, follow_redirects=True
    )


def http_client_of(client):
    return client._client


def transport_of(client):
    return client._client._transport


def pool_limits(client):
    """(max_connections, max_keepalive) of the pool behind a client; None where it has no such pool."""
    pool = getattr(transport_of(client), "_pool", None)
    return getattr(pool, "_max_connections", None), getattr(pool, "_max_keepalive_connections", None)


def read_timeout(timeout):
    """Seconds of the read timeout in an SDK or httpx timeout, None for none."""
    return getattr(timeout, "read", timeout)


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
        named["timeout"] = http.Timeout(timeout[0], pool=timeout[1], connect=float(connect or timeout[0]))
    return create(extra_headers=headers, extra_body=extra or None, **named)


def is_terminal(api, event):
    """Whether an event ends its stream: one that merely stops was cut."""
    if api == "responses":
        return event.type in ("response.completed", "response.incomplete", "response.failed")
    return any(choice.finish_reason for choice in event.choices)


def shut_down(stream):
    """End both directions of a stream's connection; whoever reads from it wakes up. Closes nothing."""
    network = stream.response.extensions["network_stream"]
    network.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def tell_events(told):
    """From now on call `told(turn)` for each event that is read of a stream, before its reader sees it."""

    def __iter__(stream):  # as the SDK's own, which is these two lines without the call
        turn = stream.response.request.headers.get(TURN_HEADER)
        for item in stream._iterator:
            if turn:
                told(turn)
            yield item

    openai.Stream.__iter__ = __iter__


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
