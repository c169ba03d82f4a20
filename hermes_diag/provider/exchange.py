"""One request and the verbs with which a fault may answer it.

    start, send, finish, whole     speak HTTP as the provider should
    body, torn, raw                a piece of the body that is no event; half an event; bytes that no framing touches
    accept                         answer the upgrade to a WebSocket as the provider should
    stall, hold, silence           send nothing: for some seconds, until `Provider.release`, until the client leaves
    close_frame                    on a WebSocket, and no FIN
    fin, reset, half_close, vanish end the connection; what is sent afterwards raises Gone
    close                          the same, of a WebSocket: a close frame and a FIN

A verb that finds the client gone raises Gone, which ends the fault.
"""

from __future__ import annotations

import secrets
import time
import zlib
from typing import TYPE_CHECKING

from hermes_diag.provider.answers import replies, retry_after
from hermes_diag.provider.answers.due import Beside, Take, Understood
from hermes_diag.provider.answers.refusals import INVALID
from hermes_diag.provider.protocols.http1 import SENT, Headers, Wire
from hermes_diag.provider.protocols.websocket import WebSocket
from hermes_diag.provider.transport.connection import Connection
from hermes_diag.provider.turns import Turn
from hermes_diag.provider.waits import Gone, Waits

if TYPE_CHECKING:
    from hermes_diag.provider.protocols.stream import Stream

SSE_HEADERS: Headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
JSON_HEADERS: Headers = (("content-type", "application/json"),)
_NO_UPGRADE = replies.error("This is not a valid upgrade to a WebSocket.", INVALID)


class Exchange(Waits):
    """What a fault sees: the request, the answer a healthy provider would give, and the verbs.

    max_message: bytes of a message that are still taken, of a WebSocket that this exchange opens.
    """

    def __init__(
        self,
        connection: Connection,
        wire: Wire | Turn | Stream,
        understood: Understood,
        take: Take,
        beside: Beside,
        max_message: int,
    ) -> None:
        stream = None if isinstance(wire, Wire | Turn) else wire
        super().__init__(understood, take, beside, connection, stream)
        self._wire = wire
        self.turn = wire if isinstance(wire, Turn) else None  # over a WebSocket
        self.websocket: WebSocket | None = None  # that this exchange has opened
        self._max_message = max_message
        self.came = time.monotonic()  # when the request was here
        self.status = 0
        self.events_sent = 0
        self.delivered = False  # all of the reply is out
        self._begun = False  # a byte of the answer is out
        self.fault = "healthy"
        self.phase = ""  # of a plan, in which it began
        self.code = ""  # of a refusal, where it tells more than its status
        self.wait: float | None = None  # seconds for which the answer tells the client to wait
        self.last = False  # the connection ends with this response, and the head says so
        self._squeeze: zlib._Compress | None = None
        self._held: list[bytes] | None = None  # what is going to be one write
        name = "request-id" if self.api == "messages" else "x-request-id"
        self._extra: Headers = ((name, f"req_{secrets.token_hex(16)}"),)

    @property
    def finished(self) -> bool:
        """The whole answer went out."""
        return self._wire.state is SENT

    # --- how it is sent --------------------------------------------------------------------------

    def also(self, headers: Headers) -> None:
        """Send these headers, too, whatever the answer is."""
        self._extra = (*self._extra, *headers)

    def compress(self) -> None:
        """Send the body gzipped; each send is flushed, as a streaming proxy does.

        Messages of a WebSocket are compressed when the client has asked for that, and else never.
        """
        if self.turn is not None:
            return
        self._squeeze = zlib.compressobj(wbits=31)
        self._extra = (*self._extra, ("content-encoding", "gzip"))

    # --- verbs -----------------------------------------------------------------------------------

    def start(self, status: int = 200, headers: Headers = ()) -> None:
        """Send status line and headers; a body without content-length is chunked."""
        self.status = status
        kind = SSE_HEADERS if self.streamed else JSON_HEADERS
        self._write(self._wire.head(status, self._headers(headers, kind), self.last))

    def send(self, *events: bytes) -> None:
        """Send events, each a chunk of its own, in one write."""
        if self.connection.slow:  # each event is a piece by itself, to be late by itself
            for event in events:
                self._write(self._framed(event))
        else:
            self._write(b"".join(map(self._framed, events)))
        self.events_sent += sum(event != replies.DONE for event in events)
        if self.streamed:
            self.delivered = self.delivered or any(map(replies.says_complete, events[-2:]))
        elif events and self.number is not None:
            self.delivered = events[-1] is self.events()[-1]

    def body(self, data: bytes) -> None:
        """Send a piece of the body that is no whole event."""
        self._write(self._framed(data))

    def torn(self, data: bytes) -> None:
        """Send the first half of a piece of the body: of its chunk; in HTTP/2, and on a WebSocket, of its frame."""
        framed = self._framed(data)
        self._write(framed[: len(framed) // 2])

    def finish(self) -> None:
        """End the body properly; the connection is kept."""
        tail = self._wire.data(self._squeeze.flush()) if self._squeeze else b""
        self._write(tail + self._wire.end())

    def whole(self, status: int, body: bytes, content_type: str = "application/json", headers: Headers = ()) -> None:
        """A whole response at once."""
        self.status = status
        self.wait = retry_after.told(headers, time.time())
        body = self._squeezed(body)
        own = self._headers((("content-length", str(len(body))), *headers), (("content-type", content_type),))
        head = self._wire.head(status, own, self.last)
        self._write(head + self._wire.data(body) + self._wire.end())

    def miscounted(self, body: bytes, by: int) -> None:
        """A whole body whose content-length claims `by` bytes more than there are."""
        body = self._squeezed(body)
        self.start(headers=(("content-length", str(max(0, len(body) + by))),))
        self._write(self._wire.data(body))
        self.delivered = self.streamed and by > 0

    def healthy(self) -> None:
        """The whole reply at once, the connection kept."""
        if self.streamed:
            self._held = [] if self.connection.plain else None  # a TLS record is read whole or not at all
            self.start()
            self.send(*self.events())
            self.finish()
            held, self._held = self._held, None
            if held is not None:
                self._write(b"".join(held))
        else:
            self.whole(200, self.document())
            self.delivered = True

    def raw(self, data: bytes) -> None:
        """Send bytes as they are, past framing and compression."""
        self._write(data)

    def accept(self) -> WebSocket:
        """Answer the upgrade with 101, and go on as the WebSocket that is returned.

        One that is not valid is answered 400 or 426; the WebSocket then goes nowhere.
        """
        websocket = WebSocket(self._max_message)
        status, data = websocket.accept(self.request)
        if status != 101:
            headers = (("sec-websocket-version", "13"), ("upgrade", "websocket")) if status == 426 else ()
            self.whole(status, _NO_UPGRADE, headers=headers)
            return websocket
        self.status = status
        self._write(data)
        self.websocket = websocket
        return websocket

    def close(self, code: int) -> None:
        """Close a WebSocket with a close frame and a FIN."""
        self.connection.close_websocket(code)
        raise Gone

    def close_frame(self, code: int) -> None:
        """Send a close frame on a WebSocket and leave its connection open."""
        assert self.turn is not None
        self.turn.websocket.sends_fin = False
        self._write(self.turn.websocket.close(code))

    def half_close(self) -> None:
        """Send a FIN and keep reading: what the client still sends is not answered."""
        self.connection.half_close()

    def fin(self, notify: bool = True) -> None:
        """Close with a FIN, after a TLS close_notify unless `notify` is False."""
        self.connection.fin(notify=notify)
        raise Gone

    def reset(self) -> None:
        """Close with a RST; what the client has not read is lost."""
        self.connection.reset()
        raise Gone

    def vanish(self, seconds: float) -> None:
        """Drop the connection without a packet, and hear nothing of the client for so many seconds."""
        self.connection.vanish(seconds)
        raise Gone

    # --- helpers ---------------------------------------------------------------------------------

    def _headers(self, headers: Headers, kind: Headers) -> Headers:
        """These headers, and of our own those that they do not name."""
        given = {name for name, _ in headers}
        return (*(pair for pair in (*kind, *self._extra) if pair[0] not in given), *headers)

    def _squeezed(self, body: bytes) -> bytes:
        """A body that is whole, as it is sent."""
        if self._squeeze is not None:
            body, self._squeeze = self._squeeze.compress(body) + self._squeeze.flush(), None
        return body

    def _framed(self, data: bytes) -> bytes:
        if self._squeeze is not None:
            data = self._squeeze.compress(data) + self._squeeze.flush(zlib.Z_SYNC_FLUSH)
        return self._wire.data(data)

    def _write(self, data: bytes) -> None:
        if not self.connection.writable:
            raise Gone
        if self._held is not None:
            self._held.append(data)
            return
        if data and not self._begun:
            self._begun = True
            self.connection.say("first byte")
        self.connection.write(data)
