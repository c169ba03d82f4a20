"""HTTP/1.1 without I/O: bytes in, requests out; responses in, bytes out. No sockets.

One Wire is one connection. A request is handed out when it is whole; the next one, even if its bytes
are already here (pipelining), only after `next()`, since a response must be finished first.

Requests are read by h11, one reader a request: what follows a request is handed to the next reader.
Responses are framed here, because a provider that misbehaves on purpose must be able to write what a
correct library refuses to, and because one head and a few chunk sizes cost a tenth of h11's writer:

    WAITING -- head() --> SENDING -- end() --> SENT -- next() --> WAITING
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import h11
import msgspec

from hermes_diag.core import reading
from hermes_diag.provider.protocols import coding
from hermes_diag.provider.protocols.again import Known
from hermes_diag.provider.protocols.request import Request
from hermes_diag.provider.protocols.room import Room, Share

#: Bytes of request line and headers that are still taken.
MAX_HEAD = 64 * 1024
#: Bytes of a request body that are still taken, unless the provider says otherwise.
MAX_BODY = 64 * 1024 * 1024

#: The status of bytes that are HTTP/2: HTTP Version Not Supported.
NOT_HTTP1 = 505

WAITING, SENDING, SENT = "waiting", "sending", "sent"
CHUNKED, COUNTED, UNTIL_CLOSE, NO_BODY = "chunked", "counted", "until close", "no body"

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

Headers = tuple[tuple[str, str], ...]


class BadRequest(Exception):
    """The peer does not speak HTTP/1.1; `status` is the status to answer with before closing."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class Misuse(RuntimeError):
    """A response was sent out of order: our own mistake, never the peer's."""


class Wire:
    """The protocol state of one connection. `max_body` in bytes. room: for the bodies of all connections together."""

    def __init__(self, max_body: int = MAX_BODY, room: Room | None = None) -> None:
        self._max_body = max_body
        self._share = Share(room or Room(max_body))
        self._reader = _reader()
        self._fresh = True  # the reader has got no byte yet
        self._known: Known | None = None  # the head of an earlier request
        self._head: h11.Request | None = None
        self._body: list[bytes] = []
        self._size = 0
        self._whole = False  # a request is out and not answered yet
        self.continued = False
        self.state = WAITING
        self.framing = CHUNKED
        self.closes = False  # after this response, said by either side

    # --- requests --------------------------------------------------------------------------------

    def feed(self, data: bytes) -> Request | None:
        """Take bytes (b"" is the peer's FIN); the next request if it is whole now.

        Raises BadRequest when the bytes are no HTTP/1.1.
        """
        if (request := self._again(data)) is not None:
            return request
        first, self._fresh = self._fresh, False
        try:
            self._reader.receive_data(data)
        except RuntimeError:  # bytes after its FIN
            raise BadRequest(400) from None
        request = None if self._whole else self._next_whole()
        if request is not None and first and not self.closes:
            assert self._head is not None
            self._known = Known.of(data, self._head, request)
        return request

    def _again(self, data: bytes) -> Request | None:
        if self._known is None or self._whole or not self._fresh:
            return None
        request = self._known.again(data, self._max_body)
        if request is not None:
            self._head, self._whole = self._known.head, True
        return request

    def switch(self) -> bytes:
        """The connection goes on in another protocol; the bytes of it that are here already."""
        self.state = SENT
        return self._reader.trailing_data[0]

    def forget(self) -> None:
        """The body that is here, or on its way, is not needed any more."""
        self._body = []
        self._share.free()

    def next(self) -> Request | None:
        """The response is out: start the next cycle; the next request if it is here already."""
        if self.state is not SENT or self.closes:
            return None
        self.forget()
        rest, ended = self._reader.trailing_data
        if self._reader.their_state is not h11.IDLE:  # else the request was one that it has not read
            self._reader = _reader()
            if rest:
                self._reader.receive_data(rest)
            if ended:
                self._reader.receive_data(b"")
        self._whole, self.continued, self.state = False, False, WAITING
        self._fresh = not rest and not ended
        return None if self._fresh else self._next_whole()

    def _next_whole(self) -> Request | None:
        while True:
            try:
                event = self._reader.next_event()
            except h11.RemoteProtocolError as exc:
                raise BadRequest(exc.error_status_hint) from None
            if isinstance(event, h11.Data):
                self._take(bytes(event.data))
            elif isinstance(event, h11.Request):
                if (event.method, event.http_version) == (b"PRI", b"2.0"):  # how HTTP/2 begins
                    raise BadRequest(NOT_HTTP1)
                self._head, self._body, self._size = event, [], 0
                self._refuse_early(event)
            elif isinstance(event, h11.EndOfMessage):
                return self._request()
            else:  # NEED_DATA, PAUSED or ConnectionClosed: nothing more for now
                return None

    def _refuse_early(self, head: h11.Request) -> None:
        """Say 413 before the body, while a peer that asks for a 100 has not sent it yet. Two lengths are none: a proxy
        before us may have read the other one, and then what follows is not what it took for the next request."""
        names = [name for name, _ in head.headers]
        if b"content-length" in names and b"transfer-encoding" in names:
            raise BadRequest(400)
        for name, value in head.headers:
            if name == b"content-length" and (len(value) > 18 or int(value) > self._max_body):
                raise BadRequest(413)

    def _take(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._max_body:
            raise BadRequest(413)
        if not self._share.take(len(data)):
            raise BadRequest(503)
        self._body.append(data)

    def _request(self) -> Request:
        head = self._head
        assert head is not None
        self._whole = True
        self.closes = self._reader.their_state is not h11.DONE  # `Connection: close`, or HTTP/1.0
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
        body, self._body = b"".join(self._body), []
        try:
            body = coding.plain(body, headers.pop("content-encoding", ""), self._max_body)
        except coding.Undecodable as exc:
            raise BadRequest(exc.status) from None
        if not self._share.take(max(0, len(body) - self._size)):  # a small body may have become a large one
            raise BadRequest(503)
        path, _, query = origin_form(head.target.decode("ascii")).partition("?")
        return Request(
            head.method.decode("ascii"),
            path,
            headers,
            body,
            query,
            head.http_version.decode("ascii"),
        )

    @property
    def expects_continue(self) -> bool:
        """Whether the peer waits for a 100 before it sends its body."""
        return not self.continued and self._reader.they_are_waiting_for_100_continue

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection can carry another request once this response is out."""
        return not self.closes

    # --- responses -------------------------------------------------------------------------------

    def go_on(self) -> bytes:
        """100 Continue."""
        self.continued = True
        return CONTINUE

    def head(self, status: int, headers: Iterable[tuple[str, str]], close: bool = False) -> bytes:
        """Status line and headers; without a content-length the body will be chunked.

        close: say that the connection ends with this response.
        """
        if self.state is not WAITING:
            raise Misuse(f"a head while {self.state}")
        self.state = SENDING
        self.closes = self.closes or close
        headers = tuple(headers)
        counted = any(name == "content-length" for name, _ in headers)
        old = self._head is not None and self._head.http_version == b"1.0"
        self.framing = COUNTED if counted else UNTIL_CLOSE if old else CHUNKED
        data = render_head(status, headers, self.framing is CHUNKED, self.closes)
        if self._head is not None and self._head.method == b"HEAD":
            self.framing = NO_BODY
        return data

    def data(self, body: bytes) -> bytes:
        """A piece of the body, framed as the head promised."""
        if self.state is not SENDING:
            raise Misuse(f"a body while {self.state}")
        if self.framing is CHUNKED:
            return chunk(body) if body else b""
        return b"" if self.framing is NO_BODY else body

    def end(self) -> bytes:
        """The end of the body."""
        if self.state is not SENDING:
            raise Misuse(f"an end while {self.state}")
        self.state = SENT
        return LAST_CHUNK if self.framing is CHUNKED else b""


def decoded(body: bytes) -> dict[str, Any] | None:
    """A body that is a JSON object, else None; so is one that would take much more memory than it has bytes."""
    if len(body) > reading.MIB and reading.is_crowded(body):
        return None
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _reader() -> h11.Connection:
    return h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)


def origin_form(target: str) -> str:
    """A target without scheme and host, with which a client may write it as to a proxy (RFC 9112, 3.2.2)."""
    scheme, separator, rest = target.partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        return target
    path = rest[len(re.split("[/?]", rest)[0]) :]
    return path if path.startswith("/") else "/" + path


def chunk(body: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(body), body)


def render_head(status: int, headers: Headers, chunked: bool, closes: bool) -> bytes:
    """Status line and headers as bytes. Names and values are ours: latin-1 without line breaks."""
    lines = [f"HTTP/1.1 {status} {reason(status)}", *(f"{name}: {value}" for name, value in headers)]
    if chunked:
        lines.append("transfer-encoding: chunked")
    if closes:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def reason(status: int) -> str:
    """The reason phrase of a status; one that no registry knows (529) gets the word in use."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return {529: "Overloaded"}.get(status, "Unknown")
