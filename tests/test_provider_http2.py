"""The HTTP/2 wire without sockets: whole and byte by byte the same, and hostile input within bounds."""

from __future__ import annotations

import struct
import tracemalloc
from itertools import pairwise

import hpack
import pytest
from conversation import streams_of
from http2_client import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    POST,
    PRIORITY,
    PUSH,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    block,
    frame,
    opening,
)  # fmt: skip
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_diag.provider.protocols.frames import MAX_FRAME, PREFACE, Cutter, NoPreface, TooLong
from hermes_diag.provider.protocols.http2 import (
    ASKED,
    BEGUN,
    CHATTER_SECONDS,
    LEFT,
    MAX_CHATTER,
    REFUSED,
    ROOM,
    Broken,
    Session,
)

ENHANCE_YOUR_CALM, FRAME_SIZE_ERROR, PROTOCOL_ERROR = 11, 6, 1
#: Inputs up to so many bytes are fed byte by byte, too.
BYTEWISE = 2000

START = PREFACE + frame(SETTINGS)


def goaways(sent: bytes) -> list[int]:
    """The error codes of the GOAWAYs in what was sent."""
    codes = []
    while sent:
        size = 9 + int.from_bytes(sent[:3], "big")
        if sent[3] == GOAWAY:
            codes.append(int.from_bytes(sent[13:17], "big"))
        sent = sent[size:]
    return codes


def test_a_request_as_the_provider_sees_it() -> None:
    """Pseudo headers become method, path, query and host; the body is whole; cookies and trailers do no harm."""
    data = START + opening(1, ("x-a", "b"), flags=END_HEADERS) + frame(DATA, 1, b"he") + frame(DATA, 1, b"llo")
    data += frame(HEADERS, 1, block(("x-trailer", "1")), END_HEADERS | END_STREAM)
    said, sent, broken = streams_of([data])
    assert [(what, number) for what, number, _ in said] == [(BEGUN, 1), (ASKED, 1)]
    request = said[-1][2]
    assert (request.method, request.path, request.query, request.version) == ("POST", "/v1/responses", "x=1", "2")
    assert request.headers == {"host": "127.0.0.1", "x-a": "b"}
    assert request.body == b"hello"
    assert not broken
    assert goaways(sent) == []


def test_a_client_that_waits_for_100_gets_it() -> None:
    """And one that has sent its whole body does not."""
    for flags, informed in ((END_HEADERS, True), (END_HEADERS | END_STREAM, False)):
        data = START + opening(1, ("expect", "100-continue"), flags=flags)
        _, sent, _ = streams_of([data])
        assert (hpack.Encoder().encode([(":status", "100")]) in sent) is informed


NUMBERS = st.sampled_from([0, 1, 1, 1, 3, 3, 5, 2, 7, 2**31 - 1])
PAYLOADS = st.one_of(
    st.sampled_from(
        [
            *(b"", b"hello", b"\x00" * 4, b"\x00" * 5, b"\x00" * 8, struct.pack("!I", 1000), b"\xff" * 4),
            *(block(*POST), block(*POST, ("content-length", "5")), block(*POST)[:9], block(*POST)[9:]),
            *(
                block((":method", "CONNECT"), (":authority", "127.0.0.1")),
                block(("x", "y")),
                block(*POST, ("expect", "100-continue")),
            ),
            *(block(*POST, ("content-length", "70")), block(*POST, ("connection", "close")), block(*POST, ("te", "x"))),
            *(struct.pack("!HI", code, value) for code in range(1, 7) for value in (0, 1, 100, 65535, 2**24, 2**31)),
            *(b"x" * 80, b"\x3f\xe1\xff\x03", b"\x00\x00\x00\x01\x10" + block(*POST)),
        ]
    ),
    st.binary(max_size=20),
)
FRAMES = st.builds(
    frame, st.integers(0, 11), NUMBERS, PAYLOADS, st.sampled_from([0, 0, 1, 4, 5, 5, 8, 12, 32, 37, 255])
)
CRUMBS = st.lists(
    st.one_of(
        FRAMES,
        FRAMES,
        st.binary(max_size=30),
        st.builds(opening, st.sampled_from([1, 3, 5, 7]), flags=st.sampled_from([4, 5])),
        st.builds(lambda number: frame(DATA, number, b"{}", END_STREAM), st.sampled_from([1, 3, 5, 7])),
        st.builds(lambda more: frame(WINDOW_UPDATE, more % 4, struct.pack("!I", more)), st.integers(0, 2**31 - 1)),
    ),
    max_size=12,
).map(b"".join)
STARTS = st.sampled_from(
    [START, START, START, PREFACE, b"", PREFACE[:10], PREFACE + frame(SETTINGS, 0, b"\0\4\0\0\0\0")]
)


@settings(max_examples=1000, deadline=None)
@given(start=STARTS, crumbs=CRUMBS, cuts=st.lists(st.integers(0, 400), max_size=6))
def test_any_bytes_in_any_pieces_give_the_same(start: bytes, crumbs: bytes, cuts: list[int]) -> None:
    """No input raises anything but Broken, and where it is cut makes no difference, not even to what is sent.

    `scripts/fuzz wires` has more; a sample here.
    """
    data = start + crumbs
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    pieces = [data[begin:end] for begin, end in pairwise(places)]
    whole = streams_of([data], limit=64)
    assert streams_of(pieces, limit=64) == whole
    if len(data) <= BYTEWISE:
        assert streams_of([data[at : at + 1] for at in range(len(data))], limit=64) == whole


def test_frames_are_cut_where_they_end() -> None:
    """One that is too long is refused by its header alone, and so is what does not begin as HTTP/2 does."""
    cutter = Cutter()
    cutter.add(START + b"\x00\x40")
    assert cutter.next() == frame(SETTINGS)
    assert cutter.next() == b""
    cutter.add(b"\x01\x00\x00\x00\x00\x00\x01")
    with pytest.raises(TooLong):
        cutter.next()
    other = Cutter()
    other.add(b"GET / HTT")
    with pytest.raises(NoPreface):
        other.next()


FLOODS = {
    "continuation": (opening(1, flags=0), frame(CONTINUATION, 1, b"\x00" * MAX_FRAME), PROTOCOL_ERROR),
    "empty continuation": (opening(1, flags=0), frame(CONTINUATION, 1), PROTOCOL_ERROR),
    "settings": (b"", frame(SETTINGS, 0, struct.pack("!HI", 4, 100)), ENHANCE_YOUR_CALM),
    "ping": (b"", frame(PING, 0, bytes(8)), ENHANCE_YOUR_CALM),
    "goaway": (b"", frame(GOAWAY, 0, bytes(8)), ENHANCE_YOUR_CALM),
    "priority": (b"", frame(PRIORITY, 3, struct.pack("!IB", 1, 1)), ENHANCE_YOUR_CALM),
    "unknown": (b"", frame(77, 0, bytes(8)), ENHANCE_YOUR_CALM),
    "empty data": (opening(1, flags=END_HEADERS), frame(DATA, 1), ENHANCE_YOUR_CALM),
    "padding": (opening(1, flags=END_HEADERS), frame(DATA, 1, bytes(1), 8), ENHANCE_YOUR_CALM),
    "data of a stream that is over": (
        opening(1, flags=END_HEADERS) + frame(RST_STREAM, 1, bytes(4)),
        frame(DATA, 1, b"x"),
        ENHANCE_YOUR_CALM,
    ),
    "huge header list": (b"", opening(1, *((f"x-{n}", "v" * 900) for n in range(15)), flags=0), ENHANCE_YOUR_CALM),
    "overlong frame": (b"", b"\x00\x40\x01\x00\x00\x00\x00\x00\x01", FRAME_SIZE_ERROR),
    "a frame of a server": (b"", frame(PUSH, 1, struct.pack("!I", 2) + block(*POST), END_HEADERS), PROTOCOL_ERROR),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_ends_the_connection_within_bounds(name: str) -> None:
    """10,000 times what costs and asks for nothing: a GOAWAY that says so, and memory as for a few."""
    start, again, code = FLOODS[name]
    if name == "huge header list":  # nine HEADERS and CONTINUATION frames of 14 KB each, which are one list
        start, again = again, frame(CONTINUATION, 1, block(*((f"x-{n}", "v" * 900) for n in range(15))))
        again = again * 8 + frame(CONTINUATION, 1, b"", END_HEADERS)
    session = Session()
    tracemalloc.start()
    try:
        with pytest.raises(Broken):  # noqa: PT012 - it is the flood that raises, at some point
            list(session.feed(START + start))
            for _ in range(10_000):
                list(session.feed(again))
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
    assert goaways(session.outgoing()) == [code]


def test_rapid_reset() -> None:
    """Requests that are reset at once, for ever (CVE-2023-44487): the connection ends, and few were begun."""
    session, begun = Session(), 0
    with pytest.raises(Broken):  # noqa: PT012 - it is the flood that raises, at some point
        list(session.feed(START))
        for number in range(1, 40_000, 2):
            for what, _ in session.feed(opening(number, flags=END_HEADERS) + frame(RST_STREAM, number, bytes(4))):
                begun += what is BEGUN
    assert begun <= MAX_CHATTER
    assert len(session.streams) <= 1
    assert goaways(session.outgoing()) == [ENHANCE_YOUR_CALM]


def test_more_streams_than_there_may_be() -> None:
    """10,000 at once: the 101st ends the connection."""
    session, begun = Session(), 0
    with pytest.raises(Broken):  # noqa: PT012 - it is the flood that raises, at some point
        list(session.feed(START))
        for number in range(1, 20_001, 2):
            begun += len(list(session.feed(opening(number, flags=END_HEADERS))))
    assert begun == 100
    assert goaways(session.outgoing()) == [PROTOCOL_ERROR]


def test_chatter_over_a_long_time_is_no_flood() -> None:
    """What a client sends to keep a connection alive may go on for ever."""
    now = 0.0
    session = Session(clock=lambda: now)
    list(session.feed(START))
    for _ in range(20 * MAX_CHATTER):
        now += CHATTER_SECONDS / MAX_CHATTER * 1.2
        list(session.feed(frame(PING, 0, bytes(8))))
        session.outgoing()


def test_ten_thousand_streams_one_after_the_other_leave_little() -> None:
    """Each is forgotten once it is answered; h2 remembers that it was, in a few bytes."""
    session = Session()
    list(session.feed(START))
    tracemalloc.start()
    try:
        for number in range(1, 20_001, 2):
            for what, stream in session.feed(opening(number)):
                if what is ASKED:
                    stream.head(200, (("content-length", "0"),))
                    stream.end()
        assert session.streams == {}
        assert tracemalloc.get_traced_memory()[0] < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_bodies_together_are_bounded() -> None:
    """A hundred bodies that are each within the limit are not all kept."""
    limit = 64 * 2**20
    session, refused = Session(limit), 0
    list(session.feed(START))
    for number in range(1, 200, 2):
        list(session.feed(opening(number, flags=END_HEADERS)))
    kept = 0
    for turn in range(70):
        for number in range(1, 200, 2):
            if number in session.streams and not session.streams[number].status:
                for what, _ in session.feed(frame(DATA, number, bytes(MAX_FRAME))):
                    refused += what is REFUSED
        session.outgoing()
        kept = max(kept, sum(stream.size for stream in session.streams.values()))
        if turn == 5:
            assert not refused
    assert refused
    assert kept <= limit + MAX_FRAME


def test_a_zero_window_keeps_what_it_must() -> None:
    """Streams whose window is shut keep their answers, which go out whole when it opens."""
    session, sent = Session(), b""
    list(session.feed(PREFACE + frame(SETTINGS, 0, struct.pack("!HI", 4, 0))))
    for number in range(1, 200, 2):
        for what, stream in session.feed(opening(number)):
            if what is ASKED:
                sent += stream.head(200, ()) + stream.data(b"x" * 500) + stream.end()
    assert len(session.streams) == 100
    assert sent.count(b"x" * 10) == 0
    assert all(stream.pending == 500 for stream in session.streams.values())
    said = [what for what, _ in session.feed(frame(SETTINGS, 0, struct.pack("!HI", 4, 500)))]
    assert said == [ROOM] * 100
    assert session.outgoing().count(b"x" * 500) == 100
    assert session.streams == {}


def test_a_reset_of_what_is_open_is_told_once() -> None:
    session = Session()
    list(session.feed(START + opening(1, flags=END_HEADERS)))
    reset = frame(RST_STREAM, 1, bytes(4))
    assert [what for what, _ in session.feed(reset)] == [LEFT]
    assert list(session.feed(reset)) == []
