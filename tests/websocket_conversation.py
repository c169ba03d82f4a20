"""What a WebSocket makes of bytes, for the tests and for the fuzzer, which runs where there is no pytest."""

from __future__ import annotations

from hermes_diag.provider.protocols.request import Request
from hermes_diag.provider.protocols.websocket import WebSocket
from hermes_diag.provider.turns import Turns

HEADERS = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AAECAwQFBgcICQoLDA0ODw==",
}
REQUEST = Request("GET", "/v1/responses", HEADERS, b"")
#: Bytes of a message that are still taken.
LIMIT = 4096


def conversation(pieces: list[bytes], deflate: bool = False) -> tuple[list[bytes], bytes, str]:
    """What a WebSocket makes of the pieces: messages, what the protocol itself has sent, and how it ended.

    The same pieces become turns on another one, each answered at once. Which of them are answered before a close
    frame that is here already depends on the pieces, so that is not returned: nothing may be raised.
    """
    websocket, turns = opened(deflate), Turns(opened(deflate), REQUEST)
    messages, sent = [], b""
    for number, piece in enumerate(pieces):
        messages += websocket.feed(piece)
        sent += websocket.pending()
        turns.feed(piece)
        while answer(turns, f"resp_{number}"):
            pass
    end = "closed by the client" if websocket.closed_by_client else "closed" if websocket.closes else "open"
    return messages, sent, end


def opened(deflate: bool) -> WebSocket:
    extension = {"sec-websocket-extensions": "permessage-deflate"} if deflate else {}
    websocket = WebSocket(LIMIT)
    status, _ = websocket.accept(Request("GET", "/v1/responses", {**HEADERS, **extension}, b""))
    assert status == 101
    return websocket


def answer(turns: Turns, response_id: str) -> bool:
    """Answer the turn that is due with a response of that id; False when there is none."""
    turn = turns.next()
    if turn is None:
        return False
    status, body = turn.refusal or (200, b'data: {"response":{"id":"%b"}}\n\n' % response_id.encode())
    turn.head(status, ())
    turn.data(body)
    turn.end()
    turns.done(turn)
    return True
