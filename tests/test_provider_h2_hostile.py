"""Hostile clients of HTTP/2 on real sockets: the connection ends with a GOAWAY, the provider and its memory stay."""

from __future__ import annotations

import contextlib
import json
import struct
import time

import psutil
import pytest
from http2_client import DATA, END_HEADERS, END_STREAM, PING, RST_STREAM, Http2, frame, opening
from provider_tools import BODY, FIN, PATIENCE, RESET, SILENT, nothing_left, until  # noqa: F401

from hermes_diag.provider import Provider
from hermes_diag.provider.conversations import answering

ENHANCE_YOUR_CALM = 11
#: Bytes of memory that a hostile client may cost.
BOUND = 40 * 2**20


@pytest.fixture(autouse=True)
def _bounded(nothing_left: None) -> None:  # noqa: F811
    """No descriptor and no thread is left."""


def memory() -> int:
    return int(psutil.Process().memory_info().rss)


RESET_CODE = struct.pack("!I", 8)
REQUEST = b'{"model":"gpt-5","stream":true}'


def asked(number: int) -> bytes:
    """A whole request, as bytes."""
    return opening(number, flags=END_HEADERS) + frame(DATA, number, REQUEST, END_STREAM)


def test_rapid_reset() -> None:
    """Requests that are reset at once (CVE-2023-44487): GOAWAY, and others are served as before."""
    before = memory()
    with Provider(tls=True) as provider, Http2(provider) as client, Http2(provider) as other:
        with contextlib.suppress(OSError):
            for number in range(1, 20_000, 2):
                client.socket.sendall(opening(number, flags=END_HEADERS) + frame(RST_STREAM, number, RESET_CODE))
        assert client.until_end() in (FIN, RESET)
        assert [code for code, _ in client.goaways] in ([ENHANCE_YOUR_CALM], [])  # a RST may overtake it
        assert other.ask().whole
        assert provider.tally()["requests"] == 1
    assert memory() - before < BOUND


def test_whole_requests_that_are_reset_at_once() -> None:
    """The same with requests that begin an answer, which a slow fault keeps open: each is broken off, none stays."""
    with Provider(["stall-before-headers"], tls=True) as provider, Http2(provider) as client:
        with contextlib.suppress(OSError):
            for number in range(1, 4000, 2):
                client.socket.sendall(asked(number) + frame(RST_STREAM, number, RESET_CODE))
        assert client.until_end() in (FIN, RESET)
        until(lambda: provider.closed_connections, "the end of the connection")
        assert 900 < provider.tally()["requests"] <= 1000
        assert not any(one.finished for one in provider.requests)


def test_a_client_that_pings_and_reads_nothing() -> None:
    """What it is answered does not pile up: the connection ends, and others are served as before."""
    before = memory()
    with Provider(tls=True) as provider, Http2(provider) as client:
        with contextlib.suppress(OSError):
            for _ in range(200):
                client.socket.sendall(frame(PING, 0, bytes(8)) * 5000)
        until(lambda: provider.closed_connections, "the end of the connection")
        assert memory() - before < BOUND
        with Http2(provider) as other:
            assert other.ask().whole


def test_a_client_that_asks_and_reads_nothing() -> None:
    """Thousands of requests, with a window that never shuts, and no answer read: nothing more is read of it until it
    reads."""
    before, asks = memory(), 6000
    with Provider(tls=True) as provider, Http2(provider, {4: 2**31 - 1}) as client:
        client.machine.increment_flow_control_window(2**30)
        client.flush()
        for number in range(1, 2 * asks, 2):
            client.socket.sendall(asked(number))
        (connection,) = provider._core.open
        until(lambda: connection._paused is not None, "the provider to stop reading")
        with Http2(provider) as other:
            assert other.ask().whole
        assert provider.tally()["requests"] < asks
        assert memory() - before < BOUND
        while provider.tally()["requests"] < asks + 1:
            assert client.socket.recv(2**20)


def test_a_hundred_streams_with_a_window_that_is_shut() -> None:
    """Their answers wait; the provider settles, serves others, and keeps nothing when the client leaves."""
    with Provider(tls=True) as provider:
        with Http2(provider, {4: 0}) as client:
            for _ in range(100):
                client.send()
            until(lambda: provider._core.posts == 100, "the requests")
            provider.settle()
            with Http2(provider) as other:
                assert other.ask().whole
            assert provider.tally()["requests"] == 1
            assert client.until_end(silence=0.1) == SILENT
        until(lambda: provider.tally()["requests"] == 101, "the records")
        assert sum(one.finished for one in provider.requests) == 1


def test_more_streams_than_were_offered() -> None:
    """The 101st at a time ends the connection, and all that was held on it."""
    with Provider(["hold"], tls=True) as provider, Http2(provider) as client:
        while client.machine.remote_settings.max_concurrent_streams > 2**30:
            assert client.hear() == ""
        client.machine.remote_settings[3] = 1000
        client.machine.remote_settings.acknowledge()
        for _ in range(101):
            client.send()
        client.flush = lambda: None  # a write that fails, since the provider is gone, would end what can be read
        assert client.until_end() in (FIN, RESET)
        assert [code for code, _ in client.goaways] == [1]
        until(lambda: provider.closed_connections, "the end of the connection")
        assert [one.finished for one in provider.requests] == [False] * 100


def test_a_request_that_drips_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """408 after so long, however often a byte comes, and its stream ends; the connection goes on."""
    monkeypatch.setattr(answering, "SLOWEST", 0.4)
    with Provider(tls=True) as provider, Http2(provider) as client:
        slow, deadline = client.send(b"{", whole=False), time.monotonic() + PATIENCE
        assert client.ask().status == 200
        while not client.heard[slow].status and time.monotonic() < deadline:
            client.machine.send_data(slow, b" ")
            client.flush()
            client.hear(0.02)
        assert client.listen(slow).status == 408
        until(lambda: slow in client.codes or client.hear(0.02) not in ("", SILENT), "the reset")
        assert client.codes[slow] == 0  # no error: stop sending
        in_time = client.send(b"{", whole=False)
        client.machine.send_data(in_time, json.dumps(BODY).encode()[1:], end_stream=True)
        client.flush()
        assert client.listen(in_time).status == 200
        time.sleep(0.5)  # idle for longer than a request may take
        assert client.ask().status == 200
        assert provider.tally()["connections"] == 1
