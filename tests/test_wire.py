"""HTTP/1.1 without I/O: each conversation is fed whole, then byte by byte, with the same result."""

from __future__ import annotations

import pytest

from hermes_diag.provider.protocols.http1 import BadRequest, Wire
from hermes_diag.provider.protocols.request import Request

POST = b"POST /v1/responses?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
CHUNKED = b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n"
GET = b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n"


def talk(wire: Wire, pieces: list[bytes]) -> list[Request]:
    """Feed the pieces; answer each request as soon as it is whole."""
    got = []
    for piece in pieces:
        request = wire.feed(piece)
        while request is not None:
            got.append(request)
            wire.head(200, [("content-length", "0")])
            wire.end()
            request = wire.next()
    return got


def splits(data: bytes) -> list[list[bytes]]:
    return [[data], [data[i : i + 1] for i in range(len(data))]]


@pytest.mark.parametrize("pieces", splits(POST + CHUNKED + GET), ids=["whole", "byte by byte"])
def test_requests_come_out_in_order(pieces: list[bytes]) -> None:
    """Keep-alive, pipelining and both framings; the query is no part of the path."""
    got = talk(Wire(), pieces)
    assert [(one.method, one.path, one.body) for one in got] == [
        ("POST", "/v1/responses", b"body"),
        ("POST", "/c", b"body"),
        ("GET", "/v1/models", b""),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"no http at all\r\n\r\n",
    ],
)
@pytest.mark.parametrize("bytewise", [False, True])
def test_garbage_is_refused(data: bytes, bytewise: bool) -> None:
    """What is no HTTP/1.1 raises BadRequest with a status to answer, never anything else."""
    pieces = splits(data)[bytewise]
    with pytest.raises(BadRequest) as caught:
        talk(Wire(), pieces)
    assert caught.value.status >= 400


def test_a_head_without_end_is_refused() -> None:
    """Headers beyond 64 KiB are not collected for ever."""
    with pytest.raises(BadRequest) as caught:
        talk(Wire(), [b"GET / HTTP/1.1\r\n", b"a: " + b"x" * 200_000])
    assert caught.value.status == 431


def test_the_second_request_waits_for_the_first_response() -> None:
    """A pipelined request is handed out by next(), after the response."""
    wire = Wire()
    first = wire.feed(POST + GET)
    assert first is not None
    assert first.path == "/v1/responses"
    assert wire.next() is None
    wire.head(200, [("content-length", "0")])
    wire.end()
    second = wire.next()
    assert second is not None
    assert second.path == "/v1/models"
