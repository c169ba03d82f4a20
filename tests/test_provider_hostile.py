"""Clients that mean no good: slow ones, very many, headers that contradict each other, bodies without end."""

from __future__ import annotations

import os
import resource
import select
import socket
import time

import psutil
import pytest
from provider_tools import FIN, PATIENCE, RESET, Client, nothing_left, request, until  # noqa: F401

from hermes_diag.provider import Provider
from hermes_diag.provider.conversations import answering

HEAD = b"POST /v1/responses HTTP/1.1\r\nhost: 127.0.0.1\r\n"


@pytest.mark.parametrize("begun", [HEAD, HEAD + b"content-length: 1000\r\n\r\n"])
def test_a_request_that_drips_is_ended(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """408 and a FIN after so long, however often a byte comes; a request that arrives in time is answered."""
    monkeypatch.setattr(answering, "SLOWEST", 0.4)
    with Provider() as provider:
        with Client(provider) as client:
            client.socket.sendall(begun)
            deadline = time.monotonic() + PATIENCE
            while not select.select([client.socket], [], [], 0.02)[0] and time.monotonic() < deadline:
                client.socket.sendall(b"x")
            heard = client.listen()
            assert (heard.status, heard.headers["connection"]) == (408, "close")
            assert client.end() in (FIN, RESET)
        with Client(provider) as client:
            whole = request()
            client.socket.sendall(whole[:20])
            time.sleep(0.1)
            assert client.ask(whole[20:]).status == 200
            time.sleep(0.5)  # idle for longer than a request may take
            assert client.ask().status == 200


@pytest.mark.parametrize(
    "lines",
    [
        ["content-length: 5", "content-length: 6"],
        ["content-length: 5", "transfer-encoding: chunked"],
        ["transfer-encoding: xchunked"],
        ["transfer-encoding: chunked, identity"],
        ["transfer-encoding : chunked"],
        ["content-length: +5"],
        ["content-length: 5,6"],
        ["content-length: -1"],
        ["x: a\r\n y: folded\r\ncontent-length : 0"],
        ["a\0b: c"],
        ["host: 127.0.0.1"],
    ],
)
def test_heads_that_two_readers_would_read_differently_are_refused(lines: list[str]) -> None:
    """One clear refusal and the end of the connection: what follows is never taken for a request."""
    with Provider() as provider, Client(provider) as client:
        smuggled = b"0\r\n\r\nGET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n"
        head = HEAD + "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"
        heard = client.ask(head + smuggled)
        assert heard.status in (400, 501), heard
        assert client.end() in (FIN, RESET)
        client.socket.close()  # a client that is gone is not lingered for
        until(lambda: not provider.open_connections, "the end")
        assert provider.tally().get("requests", 0) == 0


def test_a_gigabyte_is_not_taken() -> None:
    """413 to a length that says so, before a byte of it; and to chunks without end, in bounded memory."""
    with Provider(body_limit=2**20) as provider:
        with Client(provider) as client:
            assert client.ask(HEAD + b"content-length: 1000000000\r\n\r\n").status == 413
        before = psutil.Process().memory_info().rss
        with Client(provider) as client:
            client.socket.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
            piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
            try:
                for _ in range(2000):
                    client.socket.sendall(piece)
            except OSError:  # it has been closed meanwhile
                pass
        assert psutil.Process().memory_info().rss - before < 64 * 2**20
        with Client(provider) as client:
            assert client.ask().status == 200


@pytest.mark.parametrize(
    "headers", [{"host": "evil.example"}, {"host": "127.0.0.1.evil.example"}, {"origin": "https://evil.example"},
                {"origin": "null"}],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/responses", "/v1/models", "/_diag/faults", "/v1/nothing"])
def test_a_page_in_a_browser_is_refused(headers: dict[str, str], path: str) -> None:
    """On the provider and its control path; what a page may not read changes nothing either."""
    data = b'{"faults": ["http-500"]}'
    lines = {"host": "127.0.0.1", "content-length": str(len(data)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with Provider() as provider, Client(provider) as client:
        heard = client.ask(f"PUT {path} HTTP/1.1\r\n{head}\r\n".encode() + data)
        assert heard.status == 403
        assert client.ask().status == 200


def test_many_that_begin_a_request_cost_little() -> None:
    """As many as the descriptors of this process allow, up to 4,000: under 16 KiB each, and a turn goes through."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    number = min(4000, (soft - len(os.listdir("/proc/self/fd")) - 100) // 2) if os.path.exists("/proc") else 100
    clients: list[socket.socket] = []
    with Provider() as provider:
        before = psutil.Process().memory_info().rss
        try:
            for _ in range(number):
                clients.append(socket.create_connection(provider.address, PATIENCE))
                clients[-1].sendall(HEAD)
            until(lambda: provider.open_connections == number, "all to be accepted")
            used = psutil.Process().memory_info().rss - before
            last = clients.pop()
            last.sendall(request().removeprefix(HEAD[:-2].partition(b"\r\n")[0] + b"\r\nhost: 127.0.0.1\r\n"))
            assert last.recv(65536).startswith(b"HTTP/1.1 200 ")
            last.close()
        finally:
            for one in clients:
                one.close()
        assert used < number * 16 * 1024 + 8 * 2**20
        until(lambda: provider.open_connections == 0, "the end")
