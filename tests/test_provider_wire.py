"""The wire without sockets: whole and byte by byte the same, and no input that breaks it."""

from __future__ import annotations

from itertools import pairwise

import h11
import pytest
from conversation import requests_of
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_tools import BODY, request

from hermes_diag.provider.protocols.http1 import BadRequest, Misuse, Wire

CONVERSATION = (
    request()
    + b"POST /v1/responses?x=1 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    + request("/v1/models", b"", "GET", connection="close")
)


def singles(data: bytes) -> list[bytes]:
    return [data[place : place + 1] for place in range(len(data))]


def test_whole_and_byte_by_byte_give_the_same_requests() -> None:
    """Three pipelined requests, with a length, chunked, and the last one with `Connection: close`."""
    whole = requests_of([CONVERSATION])
    assert whole == requests_of(singles(CONVERSATION))
    assert [one.path for one in whole] == ["/v1/responses", "/v1/responses", "/v1/models"]
    assert [one.query for one in whole] == ["", "x=1", ""]
    assert whole[1].body == b"abcde"


def test_the_second_request_waits_for_the_first_answer() -> None:
    """Pipelined bytes are kept until the response before them is out."""
    wire = Wire()
    assert wire.feed(request() * 2) is not None
    assert wire.feed(b"") is None
    wire.head(200, ())
    wire.end()
    assert wire.next() is not None


def test_responses_are_what_h11_reads() -> None:
    """Chunked, counted, without a body, for HTTP/1.0 and for HEAD: a correct client reads our framing."""
    cases = [
        ("POST", "1.1", (), b"0123456789"),
        ("POST", "1.1", (("content-length", "10"),), b"0123456789"),
        ("POST", "1.0", (), b"0123456789"),
        ("HEAD", "1.1", (("content-length", "10"),), b""),
    ]
    for method, version, headers, expected in cases:
        wire = Wire()
        assert wire.feed(f"{method} / HTTP/{version}\r\nhost: a\r\n\r\n".encode())
        sent = wire.head(200, headers) + wire.data(b"01234") + wire.data(b"") + wire.data(b"56789") + wire.end()
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=method, target="/", headers=[("host", "a")]))
        client.send(h11.EndOfMessage())
        for piece in singles(sent):
            client.receive_data(piece)
        client.receive_data(b"")
        body = b""
        while not isinstance(event := client.next_event(), (h11.EndOfMessage, h11.ConnectionClosed)):
            body += bytes(event.data) if isinstance(event, h11.Data) else b""
        assert body == expected
        assert wire.keeps_alive is (version == "1.1")


def test_verbs_out_of_order_are_our_own_mistake() -> None:
    """A body before its head, two heads, an end without a beginning."""
    for verbs in (["data"], ["end"], ["head", "head"], ["head", "end", "data"], ["head", "end", "end"]):
        wire = Wire()
        wire.feed(request())
        arguments = {"head": (200, ()), "data": (b"x",), "end": ()}
        *fine, wrong = verbs
        for verb in fine:
            getattr(wire, verb)(*arguments[verb])
        with pytest.raises(Misuse):
            getattr(wire, wrong)(*arguments[wrong])


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # a TLS client on a plain port
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 70_000, 431),
    ],
)
def test_what_is_no_request_has_a_status(data: bytes, status: int) -> None:
    """Whole and byte by byte."""
    assert requests_of([data]) == [status]
    assert requests_of(singles(data)) == [status]


def test_a_body_over_the_limit_is_refused_before_it_is_read() -> None:
    """By its announced length, and by what has come of a chunked one."""
    for body in (b"content-length: 11\r\n\r\n", b"transfer-encoding: chunked\r\n\r\nb\r\n01234567890\r\n"):
        wire = Wire(max_body=10)
        with pytest.raises(BadRequest) as caught:
            wire.feed(b"POST / HTTP/1.1\r\nhost: a\r\n" + body)
        assert caught.value.status == 413


def test_a_client_that_waits_for_100_is_told_once() -> None:
    """Expect: 100-continue."""
    wire = Wire()
    assert wire.feed(b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n") is None
    assert wire.expects_continue
    assert wire.go_on().startswith(b"HTTP/1.1 100 ")
    assert not wire.expects_continue
    assert wire.feed(b"hi") is not None


#: Bytes up to which an input is also fed one by one, which is what takes the time.
BYTEWISE = 200
#: Bytes that look like HTTP often enough to get past the first line.
CRUMBS = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from(
            [
                *(b"POST ", b"GET ", b"HEAD ", b"/v1/responses", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"host: a\r\n"),
                *(b"\r\n", b"\n", b": ", b"\x00", b"{}", b"content-length: ", b"5", b"transfer-encoding: chunked\r\n"),
                *(b"expect: 100-continue\r\n", b"connection: close\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n"),
                *(request(), request()[:40]),
            ]
        ),
    ),
    max_size=14,
).map(b"".join)


@settings(max_examples=1000, deadline=None)
@given(data=CRUMBS, cuts=st.lists(st.integers(0, 200), max_size=6))
def test_any_bytes_in_any_pieces_give_the_same(data: bytes, cuts: list[int]) -> None:
    """No input raises anything but BadRequest, and where it is cut makes no difference.

    `scripts/fuzz wires` has more; a sample here.
    """
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    pieces = [data[start:end] for start, end in pairwise(places)]
    whole = requests_of([data])
    assert requests_of(pieces) == whole
    if len(data) <= BYTEWISE:
        assert requests_of(singles(data)) == whole


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("http://a/v1/responses", "/v1/responses", ""),
        ("HTTPS://a:1/v1/models?x=http://b/c", "/v1/models", "x=http://b/c"),
        ("http://a", "/", ""),
        ("http://a?x", "/", "x"),
        ("/v1/models?x=http://b/c", "/v1/models", "x=http://b/c"),
        ("ftp://a/v1/models", "ftp://a/v1/models", ""),
    ],
)
def test_a_target_as_to_a_proxy_is_the_path_in_it(target: str, path: str, query: str) -> None:
    """The absolute form, which a server must accept (RFC 9112, 3.2.2)."""
    one = Wire().feed(request(target))
    assert (one.path, one.query) == (path, query)


def test_nothing_of_a_request_is_shown() -> None:
    """A request's repr has no header and no body."""
    one = Wire().feed(request(body={**BODY, "input": "secret"}, authorization="Bearer secret"))
    assert "secret" not in repr(one)


HEADS = (
    b"POST /v1/responses HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\nx-turn: 1\r\n\r\n",
    b"POST /v1/responses HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\nx-turn: 2\r\n\r\n",
    b"POST /v1/responses HTTP/1.1\r\nhost: a\r\nContent-Length:%d\r\n\r\n",
    b"POST /v1/responses HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n folded\r\n\r\n",
    b"POST /v1/responses HTTP/1.1\r\nhost: a\r\nx: y\r\n content-length: 2\r\ncontent-length: %d\r\n\r\n",
    b"POST /v1/responses HTTP/1.1\nhost: a\ncontent-length: %d\n\n",
    b"POST /v1/responses HTTP/1.1\r\nhost: a\ncontent-length: %d\r\n\r\n",
    b"POST /v1/responses HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: %d\r\n\r\n",
    b"POST /v1/responses HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: %d\r\n\r\n",
    b"POST /v1/responses HTTP/1.0\r\nhost: a\r\ncontent-length: %d\r\n\r\n",
    b"GET /v1/models HTTP/1.1\r\nhost: a\r\nx: %d\r\n\r\n",
)
TURNS = st.builds(
    lambda head, size, more: head % size + b"x" * (size + more),
    st.sampled_from(HEADS), st.integers(0, 12), st.sampled_from((0, 0, 0, -1, 1)),
)  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(st.lists(TURNS, min_size=2, max_size=6))
def test_any_bytes_of_a_head_that_was_sent_before(turns: list[bytes]) -> None:
    """A head that is known again gives what it gives byte by byte, where nothing is."""
    assert requests_of(turns) == requests_of(singles(b"".join(turns)))


def test_a_head_that_was_sent_before_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the length of the body may be another one."""
    turn = HEADS[0] % 3 + b"abc"
    wire = Wire(max_body=1000)
    for number, data in enumerate((turn, turn, HEADS[0] % 12 + b"x" * 12, HEADS[1] % 3 + b"abc", HEADS[1] % 0)):
        if number in (1, 2, 4):
            monkeypatch.setattr(wire, "_reader", None)
        request = wire.feed(data)
        assert request == Wire().feed(data)
        monkeypatch.undo()
        wire.head(200, ())
        wire.end()
        assert wire.next() is None
    with pytest.raises(BadRequest, match="413"):
        wire.feed(HEADS[1] % 1001 + b"x" * 1001)
