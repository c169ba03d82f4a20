"""Clients that a module makes when it is imported: one for everything, closed at the very end."""

import os
import socket
import sys
import threading
import time

import openai
from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI

http = sys.modules[DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]  # httpx, or httpx2 with openai 3

# --- sound -------------------------------------------------------------------------------------------

plain = OpenAI()
"""healthy: the SDK's recommended use: one client for the process."""

plain_async = AsyncOpenAI()
"""healthy: the same, asynchronous."""

own_http_client = OpenAI(http_client=DefaultHttpxClient())
"""healthy: with an http_client that has the SDK's defaults."""

own_http_client_async = AsyncOpenAI(http_client=DefaultAsyncHttpxClient())
"""healthy: the same, asynchronous."""

with_options = OpenAI().with_options(default_headers={"x-app": "1"})
"""healthy: a copy with options, whose original nobody else uses."""

azure = AzureOpenAI(
    azure_endpoint=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:9").rpartition("/")[0],
    api_key="made-up",
    api_version="2025-03-01-preview",
)
"""healthy: a client for Azure."""

azure_async = AsyncAzureOpenAI(
    azure_endpoint=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:9").rpartition("/")[0],
    api_key="made-up",
    api_version="2025-03-01-preview",
)
"""healthy: the same, asynchronous."""


class _Tracer:
    def __init__(self, client):
        self.__dict__["_wrapped"] = client

    def __getattr__(self, name):
        return getattr(self.__dict__["_wrapped"], name)

    def __setattr__(self, name, value):
        setattr(self.__dict__["_wrapped"], name, value)


traced = _Tracer(OpenAI())
"""healthy: an object that stands around a client and passes everything on."""

key_from_a_function = OpenAI(api_key=lambda: "made-up")
"""healthy: the key is asked of a function for each request."""

retries_of_its_own = OpenAI(max_retries=5)
"""healthy: a client of one's own may retry as often as it likes."""


def http2(kwargs):
    """healthy: HTTP/2 is allowed, and the server speaks HTTP/1.1. [needs h2]"""
    return OpenAI(**dict(kwargs, http_client=DefaultHttpxClient(http2=True)))


def aiohttp(kwargs):
    """healthy: the SDK's transport over aiohttp. [needs openai.DefaultAioHttpClient]"""
    return AsyncOpenAI(**dict(kwargs, http_client=openai.DefaultAioHttpClient()))


# --- choices -----------------------------------------------------------------------------------------

impatient = OpenAI(timeout=5)
"""choice default-timeout: five seconds, said by the client itself."""

impatient_async = AsyncOpenAI(timeout=5)
"""choice default-timeout: the same, asynchronous."""

waits_for_ever = OpenAI(timeout=None)
"""choice default-timeout: no timeout at all."""

ten_connections = OpenAI(http_client=DefaultHttpxClient(limits=http.Limits(max_connections=10)))
"""choice default-limits: ten connections, said so."""

impatient_as_expected = OpenAI(timeout=5)
"""healthy: five seconds, and five seconds are what is expected. [expect timeout=5s]"""

impatient_against_the_sdk = OpenAI(timeout=5)
"""faulty default-timeout: five seconds, where the SDK's own were expected. [expect sdk-defaults]"""

ten_connections_as_expected = OpenAI(http_client=DefaultHttpxClient(limits=http.Limits(max_connections=10)))
"""healthy: ten connections, as expected. [expect limits=10]"""

one_connection = OpenAI(http_client=DefaultHttpxClient(limits=http.Limits(max_connections=1)))
"""ambiguous: one connection, so that a second stream waits for the first: a queue for some, a stand-still for others."""

# --- faulty ------------------------------------------------------------------------------------------

bare_http_client = OpenAI(http_client=http.Client())
"""faulty default-limits: httpx's own limits come along with an http_client."""


trusts_anybody = OpenAI(http_client=DefaultHttpxClient(verify=False))
"""faulty ca-file-honoured: certificates are not verified."""

closed = OpenAI()
"""faulty closed-transport-reused: somebody closes it before it is used. [also first-turn turns-failed]"""
closed.close()


class _NeverCloses(OpenAI):
    def close(self):
        pass


never_closes = _NeverCloses()
"""faulty close-releases: its close leaves its sockets open."""


def _hook_that_starts_a_thread(response):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()


a_thread_for_each_response = OpenAI(
    http_client=DefaultHttpxClient(event_hooks={"response": [_hook_that_starts_a_thread]})
)
"""faulty threads-grow: a hook starts a thread for each response, which does not end."""


def _hook_that_opens_a_file(request):
    os.open(os.devnull, os.O_WRONLY)


a_file_for_each_request = OpenAI(http_client=DefaultHttpxClient(event_hooks={"request": [_hook_that_opens_a_file]}))
"""faulty descriptors-grow: a hook opens a file for each request and forgets it."""


def _delay(response):
    sock = response.extensions["network_stream"].get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)


nagle = OpenAI(http_client=DefaultHttpxClient(event_hooks={"response": [_delay]}))
"""faulty nodelay: a hook switches TCP_NODELAY off."""


def _hurry(request):
    request.extensions["timeout"] = {**request.extensions["timeout"], "read": 20.0}


cut_to_twenty_seconds = OpenAI(http_client=DefaultHttpxClient(event_hooks={"request": [_hurry]}))
"""faulty default-timeout: the client says 600 s, and a hook cuts each request to 20 s."""
