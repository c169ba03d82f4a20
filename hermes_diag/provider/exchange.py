"""One request and the verbs with which a fault may answer it.

    start, send, finish, whole     speak HTTP as the provider should
    body, raw                      a piece of the body that is no event; bytes that no framing touches
    stall, hold, silence           send nothing: for some seconds, until `Provider.release`, until the client leaves
    fin, reset, half_close, vanish end the connection; what is sent afterwards raises Gone

A verb that finds the client gone raises Gone, which ends the fault.
"""

from __future__ import annotations

import asyncio
import secrets
import zlib
from collections.abc import Callable
from functools import cached_property
from typing import Any

from hermes_diag.provider import replies
from hermes_diag.provider.connection import Connection
from hermes_diag.provider.place import Place
from hermes_diag.provider.reply import Reply
from hermes_diag.provider.wire import Headers, Request, Wire

SSE_HEADERS: Headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
JSON_HEADERS: Headers = (("content-type", "application/json"),)
#: Pieces into which a reply that is not streamed is cut, so that there are places for faults within it.
PIECES = 8


class Gone(Exception):
    """The connection is closed, by the client or by the fault itself: the fault that is answering ends here."""


class Exchange:
    """What a fault sees: the request, the reply a healthy provider would give, and the verbs."""

    def __init__(
        self,
        connection: Connection,
        wire: Wire,
        request: Request,
        *,
        api: str,
        model: str,
        streamed: bool,
        place: Place,
        asked: dict[str, Any] | None,
        reply: Callable[[], tuple[Reply, int]],
        beside: Callable[[], bytes],
    ) -> None:
        """place: what is at the path of the request. asked: the body, where it is a JSON object. reply: takes the reply
        that is due, and its number. beside: the healthy answer where no API replies."""
        self.connection = connection
        self._wire = wire
        self.request = request
        self.api = api
        self.model = model
        self.streamed = streamed
        self.place = place
        self.asked = asked
        self._take_reply = reply
        self._beside = beside
        self.status = 0
        self.events_sent = 0
        self.number: int | None = None  # of the reply that was taken
        self.delivered = False  # all of the reply is out
        self.held = False  # silent on purpose; whoever waits for the provider to settle need not wait for it
        self.stalling = False  # held, but for a limited time
        self._begun = False  # a byte of the answer is out
        self._released = asyncio.Event()
        self.fault = "healthy"
        self.last = False  # the connection ends with this response, and the head says so
        self._squeeze: zlib._Compress | None = None
        self._extra: Headers = (
            ("request-id" if api == "messages" else "x-request-id", f"req_{secrets.token_hex(16)}"),
        )

    # --- the healthy reply --------------------------------------------------------------------

    @cached_property
    def reply(self) -> Reply:
        """The reply that is due. Asking for it uses it up; an answer that is a refusal does not ask."""
        reply, self.number = self._take_reply()
        return reply

    @cached_property
    def marks(self) -> replies.Marks:
        """What this answer puts into the marked places of its reply."""
        return replies.marks_of(self.asked or {}) if self.api == "responses" else replies.marks_of({})

    def events(self) -> tuple[bytes, ...]:
        """The events of the healthy reply; of one that is not streamed, its body in pieces."""
        return self._events

    @cached_property
    def _events(self) -> tuple[bytes, ...]:
        if self.streamed:
            return replies.stream(self.api, self.model, self.reply, self.marks)
        return replies.pieces(self.document(), PIECES)

    def document(self) -> bytes:
        """The body of the healthy reply that is not streamed; where no API replies, that of the endpoint."""
        if not self.api:
            return self._beside()
        body = replies.whole(self.api, self.model, self.reply, self.marks)
        return replies.queued(body) if self.in_background else body

    @property
    def in_background(self) -> bool:
        """The client asked for a response that it will come back for."""
        return self.api == "responses" and not self.streamed and (self.asked or {}).get("background") is True

    def delta(self, text: str) -> bytes:
        """The event of one more piece of text."""
        return replies.delta(self.api, self.model, text, self.marks)

    def opened(self) -> bytes:
        """The event of a piece of text as far as the place of the text."""
        return replies.opened(self.api, self.model, self.marks)

    # --- how it is sent --------------------------------------------------------------------------

    def compress(self) -> None:
        """Send the body gzipped; each send is flushed, as a streaming proxy does."""
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
            self.delivered = events[-1] is self._events[-1]

    def body(self, data: bytes) -> None:
        """Send a piece of the body that is no whole event."""
        self._write(self._framed(data))

    def finish(self) -> None:
        """End the body properly; the connection is kept."""
        tail = self._wire.data(self._squeeze.flush()) if self._squeeze else b""
        self._write(tail + self._wire.end())

    def whole(self, status: int, body: bytes, content_type: str = "application/json", headers: Headers = ()) -> None:
        """A whole response at once."""
        self.status = status
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
            self.start()
            self.send(*self.events())
            self.finish()
        else:
            self.whole(200, self.document())
            self.delivered = True

    def raw(self, data: bytes) -> None:
        """Send bytes as they are, past framing and compression."""
        self._write(data)

    async def drained(self) -> None:
        """Wait until the client has taken most of what was sent."""
        await self.connection.drained()
        if self.connection.gone:
            raise Gone

    async def all_sent(self) -> None:
        """Return once a slow link has let out the answer; as for a stall, nobody need wait for it."""
        if self.connection.pending:
            self.held = self.stalling = True
            await self.connection.all_sent()
            self.held = self.stalling = False

    async def stall(self, seconds: float) -> None:
        """Send nothing for so many seconds."""
        self.held = self.stalling = True
        await asyncio.sleep(seconds)
        self.held = self.stalling = False

    async def hold(self) -> None:
        """Send nothing until `Provider.release` is called."""
        self.held = True
        self._released.clear()
        await self._released.wait()
        self.held = False

    def release(self) -> None:
        """End a `hold`."""
        self._released.set()

    async def silence(self) -> None:
        """Send nothing more; ends only when the client leaves or the provider stops."""
        self.held = True
        await asyncio.get_running_loop().create_future()

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
        if not self._begun:
            self._begun = True
            self.connection.say("first byte")
        self.connection.write(data)
