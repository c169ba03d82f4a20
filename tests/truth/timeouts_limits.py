"""Factories whose clients choose timeouts, limits and retries, on purpose or by accident."""

import sys
import time

import openai
from openai import DEFAULT_CONNECTION_LIMITS as LIMITS
from openai import DEFAULT_TIMEOUT, AsyncOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI

http = sys.modules[DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]  # httpx, or httpx2 with openai 3


def client(kwargs, **options):
    return OpenAI(**dict(kwargs, http_client=DefaultHttpxClient(**options)))


# --- timeouts ----------------------------------------------------------------------------------------


def thirty_seconds(kwargs):
    """choice default-timeout: a number for the whole client."""
    return OpenAI(**dict(kwargs, timeout=30.0))


def thirty_seconds_async(kwargs):
    """choice default-timeout: the same, asynchronous."""
    return AsyncOpenAI(**dict(kwargs, timeout=30.0))


def thirty_seconds_as_expected(kwargs):
    """healthy: thirty seconds, as expected. [expect timeout=30s]"""
    return OpenAI(**dict(kwargs, timeout=30.0))


def twenty_seconds_where_ten_minutes_were_expected(kwargs):
    """faulty default-timeout: another number than was expected. [expect timeout=600s]"""
    return OpenAI(**dict(kwargs, timeout=20.0))


def no_timeout(kwargs):
    """choice default-timeout: None: a turn may wait for ever."""
    return OpenAI(**dict(kwargs, timeout=None))


def each_of_the_four_said(kwargs):
    """choice default-timeout: connect, read, write and pool, each with a number."""
    return OpenAI(**dict(kwargs, timeout=http.Timeout(connect=3.0, read=120.0, write=30.0, pool=10.0)))


def the_sdks_own_said_again(kwargs):
    """healthy: timeout=DEFAULT_TIMEOUT."""
    return OpenAI(**dict(kwargs, timeout=DEFAULT_TIMEOUT))


def in_the_http_client(kwargs):
    """choice default-timeout: thirty seconds in the http_client, which the SDK takes over."""
    return client(kwargs, timeout=30.0)


def httpx_five_seconds_that_do_not_count(kwargs):
    """healthy: httpx's own five seconds in the http_client are not what requests are sent with."""
    made = http.Client(limits=LIMITS)
    return OpenAI(**dict(kwargs, http_client=made))


def in_a_copy(kwargs):
    """choice default-timeout: with_options(timeout=45)."""
    return OpenAI(**kwargs).with_options(timeout=45.0)


def cut_in_a_hook(kwargs):
    """faulty default-timeout: the client says 600 s, and a hook cuts each request to 20 s."""

    def cut(request):
        request.extensions["timeout"] = {**request.extensions["timeout"], "read": 20.0}

    return client(kwargs, event_hooks={"request": [cut]})


def cut_in_a_hook_async(kwargs):
    """faulty default-timeout: the same, asynchronous."""

    async def cut(request):
        request.extensions["timeout"] = {**request.extensions["timeout"], "read": 20.0}

    return AsyncOpenAI(**dict(kwargs, http_client=DefaultAsyncHttpxClient(event_hooks={"request": [cut]})))


def cut_in_a_hook_as_expected(kwargs):
    """healthy: twenty seconds on the wire, as expected. [expect timeout=20s]"""
    return cut_in_a_hook(kwargs)


class _Hasty(http.HTTPTransport):
    def handle_request(self, request):
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), 5)
        return super().handle_request(request)


def cut_in_a_transport(kwargs):
    """faulty default-timeout: a transport cuts all requests to five seconds."""
    made = DefaultHttpxClient()
    made._transport = _Hasty(limits=LIMITS)
    return OpenAI(**dict(kwargs, http_client=made))


class _Impatient(OpenAI):
    def request(self, cast_to, options, **more):
        options.timeout = 15.0
        return super().request(cast_to, options, **more)


def cut_in_request(kwargs):
    """faulty default-timeout: an override of request() that sets 15 s for each."""
    return _Impatient(**kwargs)


def connect_cut_only(kwargs):
    """choice default-timeout: two seconds to connect, the rest as in the SDK."""
    return OpenAI(**dict(kwargs, timeout=http.Timeout(DEFAULT_TIMEOUT.read, connect=2.0)))


# --- limits ------------------------------------------------------------------------------------------


def ten_connections(kwargs):
    """choice default-limits: ten at a time, said so."""
    return client(kwargs, limits=http.Limits(max_connections=10))


def fifty_and_ten_as_expected(kwargs):
    """healthy: fifty, and ten kept alive, as expected. [expect limits=50/10]"""
    return client(kwargs, limits=http.Limits(max_connections=50, max_keepalive_connections=10))


def ten_where_fifty_were_expected(kwargs):
    """faulty default-limits: ten, where fifty were expected. [expect limits=50]"""
    return client(kwargs, limits=http.Limits(max_connections=10))


def none_kept_alive(kwargs):
    """choice default-limits: no connection is kept alive."""
    return client(kwargs, limits=http.Limits(max_connections=1000, max_keepalive_connections=0))


def more_than_the_sdk(kwargs):
    """healthy: five thousand connections are more than the SDK's."""
    return client(kwargs, limits=http.Limits(max_connections=5000, max_keepalive_connections=500))


def without_any_limit(kwargs):
    """healthy: no limit at all."""
    return client(kwargs, limits=http.Limits())


def the_sdks_own_limits(kwargs):
    """healthy: limits=DEFAULT_CONNECTION_LIMITS."""
    return OpenAI(**dict(kwargs, http_client=http.Client(limits=LIMITS)))


def httpx_limits_by_accident(kwargs):
    """faulty default-limits: http.Client(timeout=...) brings 100 and 20."""
    return OpenAI(**dict(kwargs, http_client=http.Client(timeout=DEFAULT_TIMEOUT)))


def client_of_the_other_family(kwargs):
    """faulty default-limits: an httpx client on openai 3 works, and brings httpx's 100 and 20. [openai 3] [needs httpx] [also default-timeout]"""
    import httpx

    return OpenAI(**dict(kwargs, http_client=httpx.Client()))


def client_of_the_other_family_with_all_said(kwargs):
    """healthy: an httpx client on openai 3 with the SDK's numbers. [openai 3] [needs httpx]"""
    import httpx

    limits = httpx.Limits(
        max_connections=LIMITS.max_connections, max_keepalive_connections=LIMITS.max_keepalive_connections
    )
    timeout = httpx.Timeout(DEFAULT_TIMEOUT.read, connect=DEFAULT_TIMEOUT.connect)
    return OpenAI(**dict(kwargs, http_client=httpx.Client(limits=limits, timeout=timeout, follow_redirects=True)))


# --- retries -----------------------------------------------------------------------------------------


def two_retries_whatever_was_said(kwargs):
    """faulty max-retries: client_kwargs say none, and the factory says two."""
    return OpenAI(**dict(kwargs, max_retries=2))


def two_retries_as_expected(kwargs):
    """healthy: two, as expected. [expect retries=2]"""
    return OpenAI(**dict(kwargs, max_retries=2))


class _Stubborn(OpenAI):
    def request(self, *args, **kwargs):
        for _ in range(2):
            try:
                return super().request(*args, **kwargs)
            except openai.InternalServerError:
                time.sleep(0.01)
        return super().request(*args, **kwargs)


def retries_in_a_wrapper(kwargs):
    """faulty max-retries: max_retries is 0, and an override of request() sends a failed one three times."""
    return _Stubborn(**kwargs)


class _StubbornTransport(http.HTTPTransport):
    def handle_request(self, request):
        response = super().handle_request(request)
        if response.status_code >= 500:
            response.read()
            response.close()
            response = super().handle_request(request)
        return response


def retries_in_a_transport(kwargs):
    """faulty max-retries: a transport sends a failed request twice."""
    made = DefaultHttpxClient()
    made._transport = _StubbornTransport(limits=LIMITS)
    return OpenAI(**dict(kwargs, http_client=made))


# --- seen from outside -------------------------------------------------------------------------------


class _Timing(http.BaseTransport):
    """Measures each request and passes it on."""

    def __init__(self, inner):
        self._inner, self.seconds = inner, []

    def handle_request(self, request):
        begun = time.monotonic()
        try:
            return self._inner.handle_request(request)
        finally:
            self.seconds.append(time.monotonic() - begun)

    def close(self):
        self._inner.close()


def a_transport_around_the_transport(kwargs):
    """healthy: put around the transport after the client was made, so that nothing is lost."""
    made = DefaultHttpxClient()
    made._transport = _Timing(made._transport)
    return OpenAI(**dict(kwargs, http_client=made))


def a_transport_around_a_bare_one(kwargs):
    """faulty proxy-honoured: handed in as transport=, so that httpx ignores the proxies of the environment. [also default-limits]"""
    return client(kwargs, transport=_Timing(http.HTTPTransport(limits=LIMITS)))


def nagle_switched_on(kwargs):
    """faulty nodelay: a response hook switches TCP_NODELAY off."""
    import socket

    def delay(response):
        sock = response.extensions["network_stream"].get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)

    return client(kwargs, event_hooks={"response": [delay]})
