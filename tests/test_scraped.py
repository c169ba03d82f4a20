"""What a scrape of `export` may cost: hosts that are not ours, requests without an end, very many connections."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge
from provider_tools import until

from hermes_diag.cli import scraped

GET = b"GET /metrics HTTP/1.1\r\n"


@contextlib.contextmanager
def server(host: str = "127.0.0.1") -> Iterator[tuple[str, int]]:
    registry = CollectorRegistry()
    Gauge("answer", "Of a test.", registry=registry).set(42)
    with scraped.serving(host, 0, registry) as port:
        yield (host if host != "0.0.0.0" else "127.0.0.1"), port


def asked(address: tuple[str, int], data: bytes) -> bytes:
    with socket.create_connection(address, 20) as one:
        one.sendall(data)
        return b"".join(iter(lambda: one.recv(65536), b""))


@pytest.mark.parametrize(
    ("host", "head", "status"),
    [
        ("127.0.0.1", b"host: 127.0.0.1:9464\r\n", 200),
        ("127.0.0.1", b"host: localhost\r\n", 200),
        ("127.0.0.1", b"", 200),
        ("127.0.0.1", b"host: evil.example\r\n", 403),
        ("127.0.0.1", b"host: 127.0.0.1\r\norigin: http://evil.example\r\n", 403),
        ("0.0.0.0", b"host: fleet.example\r\n", 200),
        ("0.0.0.0", b"host: fleet.example\r\norigin: http://evil.example\r\n", 403),
    ],
)
def test_a_page_in_a_browser_learns_nothing(host: str, head: bytes, status: int) -> None:
    """Host and Origin as for the provider; with --allow-remote others may call this machine as they do."""
    with server(host) as address:
        answer = asked(address, GET + head + b"\r\n")
    assert answer.startswith(b"HTTP/1.0 %d " % status)
    assert (b"answer 42.0" in answer) == (status == 200)


def test_a_request_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that drips, and one that is too long: closed without an answer."""
    monkeypatch.setattr(scraped, "SLOWEST", 0.3)
    with server() as address:
        with socket.create_connection(address, 20) as one, contextlib.suppress(ConnectionError):
            begun = time.monotonic()
            while time.monotonic() - begun < 20:
                one.sendall(b"G")
                one.settimeout(0.05)
                with contextlib.suppress(TimeoutError):
                    assert one.recv(10) == b""
                    break
            assert time.monotonic() - begun < 20
        with contextlib.suppress(ConnectionError):
            assert asked(address, GET + b"x: " + b"y" * scraped.LONGEST + b"\r\n\r\n") == b""
        assert b"answer 42.0" in asked(address, GET + b"\r\n")


def test_a_thread_that_cannot_be_started_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often there was none, whoever asks when there is one again is answered."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(scraped, "MOST", 2)
    with server() as address:
        with monkeypatch.context() as short:
            short.setattr(threading.Thread, "start", refuse)
            for _ in range(5):
                with contextlib.suppress(ConnectionError):
                    assert asked(address, GET + b"\r\n") == b""
        assert b"answer 42.0" in asked(address, GET + b"\r\n")


def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those that say nothing the oldest make room, at no time for more threads; a scrape is answered among them."""
    monkeypatch.setattr(scraped, "MOST", 4)
    before = threading.active_count()
    with server() as address, contextlib.ExitStack() as clients:
        ones = [clients.enter_context(socket.create_connection(address, 20)) for _ in range(40)]
        for one in ones[:36]:
            assert one.recv(1) == b""
        assert threading.active_count() - before <= 5
        assert b"answer 42.0" in asked(address, GET + b"\r\n")
        ones[-1].sendall(GET + b"\r\n")
        assert b"200" in ones[-1].recv(65536)
        for one in ones:
            one.close()
        until(lambda: threading.active_count() - before == 1, "the threads to end")
        assert b"answer 42.0" in asked(address, GET + b"\r\n")
