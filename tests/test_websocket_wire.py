"""The WebSocket without sockets: whole and byte by byte the same, and no input that breaks it."""

from __future__ import annotations

import json
import logging
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websocket_conversation import answer, conversation
from websocket_tools import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, create, frame, upgrade
from websockets.frames import Frame, Opcode

from hermes_diag.provider.answers import replies
from hermes_diag.provider.protocols.http1 import Misuse, Wire
from hermes_diag.provider.protocols.request import Request
from hermes_diag.provider.protocols.websocket import WebSocket
from hermes_diag.provider.turns import Turn, Turns, error

TALK = (
    create()
    + frame(b"x", PING)
    + frame(b'{"type":"respon', TEXT, fin=False)
    + frame(b"", PONG)
    + frame(b'se.create"}', CONTINUATION)
    + frame(b"no turn")
    + create(generate=False, previous_response_id="resp_0")
    + frame(b"\x03\xe8", CLOSE)
    + create()
)


def singles(data: bytes) -> list[bytes]:
    return [data[place : place + 1] for place in range(len(data))]


def test_whole_and_byte_by_byte_give_the_same() -> None:
    """Turns, pings, fragments, what is no turn, a close frame and what comes behind it."""
    whole = conversation([TALK])
    assert whole == conversation(singles(TALK))
    messages, sent, end = whole
    assert (len(messages), end) == (4, "closed by the client")
    assert sent == b"\x8a\x01x" + b"\x88\x02\x03\xe8"


#: Bytes up to which an input is also fed one by one.
BYTEWISE = 300
#: Bytes that look like frames often enough to get past the first one.
CRUMBS = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.builds(
            frame,
            st.one_of(st.binary(max_size=140), st.sampled_from([b'{"type":"response.create"}', b"\x03\xe8", b"[[[["])),
            st.integers(0, 15),
            st.booleans(),
        ),
        st.sampled_from([TALK, create(), create()[:30], b"\x81\xff\x7f" + b"\xff" * 7, b"\xc1\x85\0\0\0\0"]),
    ),
    max_size=10,
).map(b"".join)


@settings(max_examples=1000, deadline=None)
@given(data=CRUMBS, cuts=st.lists(st.integers(0, 300), max_size=6), deflate=st.booleans())
def test_any_bytes_in_any_pieces_give_the_same(data: bytes, cuts: list[int], deflate: bool) -> None:
    """Nothing is raised, with compression and without, and where it is cut makes no difference.

    `scripts/fuzz wires` has more; a sample here.
    """
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    pieces = [data[start:end] for start, end in pairwise(places)]
    whole = conversation([data], deflate)
    assert conversation(pieces, deflate) == whole
    if len(data) <= BYTEWISE:
        assert conversation(singles(data), deflate) == whole


def opened(**headers: str) -> WebSocket:
    request = Wire().feed(upgrade(**headers))
    assert request is not None
    websocket = WebSocket(2**16)
    assert websocket.accept(request)[0] == 101
    return websocket


def test_a_message_that_inflates_is_refused_before_it_does() -> None:
    """A few KB that would become 10 MB: 1009, and no more memory than the limit."""
    websocket = opened(sec_websocket_extensions="permessage-deflate")
    squeezed = Frame(Opcode.TEXT, b"x" * 10_000_000).serialize(mask=True, extensions=_deflate())
    assert len(squeezed) < 20_000
    assert websocket.feed(squeezed) == []
    assert websocket.pending()[2:4] == (1009).to_bytes(2, "big")


def _deflate() -> list[Any]:
    from websockets.extensions.permessage_deflate import PerMessageDeflate

    return [PerMessageDeflate(False, False, 12, 12)]


def test_a_turn_is_out_in_order() -> None:
    """What is sent out of order is our own mistake."""
    turn = Turn(opened(), Request("POST", "/v1/responses", {}, b""))
    for early in (turn.end, lambda: turn.data(b"")):
        with pytest.raises(Misuse):
            early()
    turn.head(200, ())
    with pytest.raises(Misuse):
        turn.head(200, ())


@pytest.mark.parametrize(
    ("event", "sent"),
    [
        (b'event: x\ndata: {"a":1}\n\n', [b'{"a":1}']),
        (b'data:{"a":1}\n\ndata: {"b":2}\n\n', [b'{"a":1}', b'{"b":2}']),
        (b'data: {"a":\ndata: 1}\n\n', [b'{"a":\n1}']),
        (b'data: {"a":1}\r\n\n\n', [b'{"a":1}']),
        (replies.DONE, []),
        (b"", []),
    ],
)
def test_events_become_messages(event: bytes, sent: list[bytes]) -> None:
    """Whatever way a transcript has written them."""
    turn = Turn(opened(), Request("POST", "/v1/responses", {}, b""))
    turn.head(200, ())
    assert turn.data(event) == b"".join(bytes([0x81, len(one)]) + one for one in sent)


def test_an_error_is_one_message() -> None:
    """The error as the API has it, beside its status and the headers; a page of an edge is not passed on."""
    told = json.loads(error(429, replies.error("Slow down.", "requests", code="x"), (("retry-after", "1"),)))
    assert told == {
        "type": "error", "status": 429, "headers": {"retry-after": "1"},
        "error": {"message": "Slow down.", "type": "requests", "param": None, "code": "x"},
    }  # fmt: skip
    page = json.loads(error(502, b"<html>"))
    assert page["error"] == {"message": "Bad Gateway", "type": "server_error", "param": None, "code": None}


def test_known_responses_are_bounded() -> None:
    """A connection remembers its last 100."""
    request = Wire().feed(upgrade())
    assert request is not None
    turns = Turns(opened(), request)
    for number in range(101):
        turns.feed(create())
        answer(turns, f"resp_{number}")
    for number, refused in ((0, True), (1, False), (100, False)):
        turns.feed(create(previous_response_id=f"resp_{number}"))
        turn = turns.next()
        assert turn is not None
        assert bool(turn.refusal) is refused


def test_what_is_asked_for_is_not_taken_literally() -> None:
    """An id that is no text, or a very long one, is not repeated in the error."""
    for previous in (["a"], {"b": 1}, 7, "s" * 1000):
        request = Wire().feed(upgrade())
        assert request is not None
        turns = Turns(opened(), request)
        turns.feed(create(previous_response_id=previous))
        turn = turns.next()
        assert turn is not None
        assert turn.refusal is not None
        assert json.loads(turn.refusal[1])["error"]["message"] == "Previous response not found."


def test_a_program_that_logs_everything_gets_no_frame(caplog: pytest.LogCaptureFixture) -> None:
    """The library would log frames, and so prompts, at DEBUG."""
    caplog.set_level(logging.DEBUG)
    websocket = opened(authorization="Bearer s3cret")
    websocket.feed(create(input="s3cret") + frame(b"\0", BINARY))
    websocket.pending()
    assert "s3cret" not in caplog.text
    assert not caplog.records
