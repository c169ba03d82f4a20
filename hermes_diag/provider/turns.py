"""Turns of the Responses API on one WebSocket: a message is a request, each event of its answer a message.

`Turn` is to a turn what `Wire` is to a request over HTTP: an exchange writes its answer through it, so that
replies and faults are the same on both.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from hermes_diag.provider.answers import refusals, replies
from hermes_diag.provider.answers.refusals import INVALID
from hermes_diag.provider.protocols.http1 import SENDING, SENT, WAITING, Headers, Misuse, decoded, reason
from hermes_diag.provider.protocols.request import Request
from hermes_diag.provider.protocols.websocket import NORMAL, WebSocket

#: The type of the one message that a client may send.
CREATE = "response.create"
#: Responses of one connection that a later turn may build on.
REMEMBERED = 100

#: Headers of an HTTP answer that mean nothing in a message.
_OF_HTTP = ("content-type", "content-length", "cache-control")

_LIMIT = replies.error(
    "Responses websocket connection limit reached (60 minutes). Create a new websocket connection to continue.",
    INVALID,
    code="websocket_connection_limit_reached",
)

Refusal = tuple[int, bytes]


class Turn:
    """One turn: its request, and the framing of its answer. asked: the message, where it asks for a response.

    refusal: (status, error body) when it must be refused. warm_up: nothing is to be generated.
    previous: the id of the response that it builds on.
    """

    def __init__(
        self,
        websocket: WebSocket,
        request: Request,
        asked: dict[str, Any] | None = None,
        refusal: Refusal | None = None,
        warm_up: bool = False,
        previous: str = "",
    ) -> None:
        self.websocket = websocket
        self.request = request
        self.asked = asked
        self.refusal = refusal
        self.warm_up = warm_up
        self.previous = previous
        self.response_id = ""  # of its answer, once that has begun
        self.state = WAITING
        self.closes = False  # the WebSocket is closed after this turn
        self._status = 0
        self._headers: Headers = ()

    @property
    def keeps_alive(self) -> bool:
        return not self.closes

    @property
    def succeeded(self) -> bool:
        """It was answered to its end, and by no error."""
        return self.state is SENT and self._status < 300

    def head(self, status: int, headers: Headers, close: bool = False) -> bytes:
        """Nothing is sent; of an error status the message with the body tells it."""
        if self.state is not WAITING:
            raise Misuse(f"a head while {self.state}")
        self.state = SENDING
        self.closes = close
        self._status = status
        self._headers = tuple((name, value) for name, value in headers if name not in _OF_HTTP)
        return b""

    def data(self, body: bytes) -> bytes:
        """Server-sent events as messages, a comment as a ping; with an error status the body as one message."""
        if self.state is not SENDING:
            raise Misuse(f"a body while {self.state}")
        if self._status >= 300:
            return self.websocket.text(error(self._status, body, self._headers))
        return b"".join(map(self._event, body.split(b"\n\n")))

    def _event(self, event: bytes) -> bytes:
        lines = [line for line in event.splitlines() if line]
        data = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
        if not data:
            return self.websocket.ping() if lines else b""
        if data == [b"[DONE]"]:
            return b""
        if not self.response_id:
            self.response_id = _id(data[0])
        return self.websocket.text(b"\n".join(data))

    def end(self) -> bytes:
        """Nothing is sent: the terminal event ends a turn."""
        if self.state is not SENDING:
            raise Misuse(f"an end while {self.state}")
        self.state = SENT
        return self.websocket.close(NORMAL) if self.closes else b""


class Turns:
    """The WebSocket of one connection: its messages become turns, one at a time, in their order."""

    def __init__(self, websocket: WebSocket, upgrade: Request) -> None:
        self.websocket = websocket
        self._upgrade = upgrade
        self._waiting: deque[bytes] = deque()
        self._known: deque[str] = deque(maxlen=REMEMBERED)
        self._answered = 0
        self.expired = False  # its lifetime is over

    def feed(self, data: bytes) -> None:
        """Take bytes of the client."""
        messages = self.websocket.feed(data)
        if not self.websocket.silent:
            self._waiting += messages

    @property
    def over(self) -> bool:
        """The WebSocket has lived for as long as it may."""
        most = self.websocket.most_turns
        return self.expired or 0 < most <= self._answered

    def farewell(self) -> bytes:
        """The message that says so."""
        return self.websocket.text(error(400, _LIMIT))

    def next(self) -> Turn | None:
        """The turn that is due; None when no message waits."""
        if not self._waiting or self.websocket.closes:
            return None
        message = self._waiting.popleft()
        body = decoded(message)
        if body is None:
            return self._turn(message, None, (400, replies.error("The message is not a JSON object.", INVALID)))
        kind = body.pop("type", None)
        if kind != CREATE:
            text = f"This message type is not known here; send {CREATE}."
            return self._turn(message, None, (400, replies.error(text, INVALID, param="type", code="invalid_value")))
        previous = body.get("previous_response_id")
        refusal = None
        if previous is not None and previous not in self._known:
            refusal = 400, refusals.no_previous(previous)
        body["stream"] = True
        return self._turn(message, body, refusal, body.get("generate") is False, str(previous or ""))

    def _turn(self, data: bytes, *rest: Any) -> Turn:
        upgrade = self._upgrade
        return Turn(self.websocket, Request("POST", upgrade.path, upgrade.headers, data, upgrade.query), *rest)

    def done(self, turn: Turn) -> None:
        """A turn is over. One that failed makes what it was built on unknown, as the real service does."""
        self._answered += 1
        if turn.succeeded and turn.response_id:
            self._known.append(turn.response_id)
        elif turn.previous in self._known:
            self._known.remove(turn.previous)


def error(status: int, body: bytes, headers: Headers = ()) -> bytes:
    """An error body as the message that tells it; a body that is no JSON (a page of an edge) leaves its status."""
    told = (decoded(body) or {}).get("error")
    if not isinstance(told, dict):
        kind = "server_error" if status >= 500 else INVALID
        told = {"message": reason(status), "type": kind, "param": None, "code": None}
    message: dict[str, Any] = {"type": "error", "status": status, "error": told}
    if headers:
        message["headers"] = dict(headers)
    return msgspec.json.encode(message)


def _id(event: bytes) -> str:
    """The id of the response that an event carries, "" when it has none."""
    response = (decoded(event) or {}).get("response")
    found = response.get("id") if isinstance(response, dict) else None
    return found if isinstance(found, str) else ""
