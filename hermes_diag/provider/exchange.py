"""One request and the verbs with which a fault may answer it.

    start, send, finish, whole     speak HTTP as the provider should
    body, raw                      a piece of the body that is no event; bytes that no framing touches
    stall, hold, silence           send nothing: for some seconds, until `Provider.release`, until the client leaves
    fin, reset, half_close         end the connection; what is sent afterwards raises Gone

A verb that finds the client gone raises Gone, which ends the fault.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from hermes_diag.provider import replies
from hermes_diag.provider.connection import AHEAD, Connection
from hermes_diag.provider.reply import Reply
from hermes_diag.provider.wire import Headers, Request, Wire

if TYPE_CHECKING:
    from hermes_diag.provider.stream import Stream

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
        wire: Wire | Stream,
        request: Request,
        api: str,
        model: str,
        streamed: bool,
        next_reply: Callable[[], Reply],
        models: tuple[str, ...],
    ) -> None:
        self.connection = connection
        self._wire = wire
        self.stream: Stream | None = None  # of HTTP/2
        self.request = request
        self.api = api
        self.model = model
        self.streamed = streamed
        self._next_reply = next_reply
        self._models = models
        self.status = 0
        self.events_sent = 0
        self.held = False  # silent on purpose; whoever waits for the provider to settle need not wait for it
        self.stalling = False  # held, but for a limited time
        self._begun = False  # a byte of the answer is out
        self._released = asyncio.Event()
        self._let_out = asyncio.Event()
        self.fault = "healthy"
        self.last = False  # the connection ends with this response, and the head says so
        self._squeeze: zlib._Compress | None = None
        self._extra: Headers = ()

    # --- the healthy reply --------------------------------------------------------------------

    @cached_property
    def reply(self) -> Reply:
        """The reply that is due. Asking for it uses it up; an answer that is a refusal does not ask."""
        return self._next_reply()

    def events(self) -> tuple[bytes, ...]:
        """The events of the healthy reply; of one that is not streamed, its body in pieces."""
        if self.streamed:
            return replies.stream(self.api, self.model, self.reply)
        return replies.pieces(self.document(), PIECES)

    def document(self) -> bytes:
        """The body of the healthy reply that is not streamed; outside the APIs, the list of models."""
        return replies.whole(self.api, self.model, self.reply) if self.api else replies.models(self._models)

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
        if any(name == "content-type" for name, _ in headers):
            kind = ()
        self._write(self._wire.head(status, kind + headers + self._extra, self.last))

    def send(self, *events: bytes) -> None:
        """Send events, each a chunk of its own, in one write."""
        self._write(b"".join(map(self._framed, events)))
        self.events_sent += sum(event != replies.DONE for event in events)

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
        all_headers = (("content-type", content_type), ("content-length", str(len(body))), *headers, *self._extra)
        head = self._wire.head(status, all_headers, self.last)
        self._write(head + self._wire.data(body) + self._wire.end())

    def miscounted(self, body: bytes, by: int) -> None:
        """A whole body whose content-length claims `by` bytes more than there are."""
        body = self._squeezed(body)
        self.start(headers=(("content-length", str(max(0, len(body) + by))),))
        self._write(self._wire.data(body))

    def healthy(self) -> None:
        """The whole reply at once, the connection kept."""
        if self.streamed:
            self.start()
            self.send(*self.events())
            self.finish()
        else:
            self.whole(200, self.document())

    def torn(self, data: bytes) -> None:
        """Send the first half of a piece of the body: of its chunk, in HTTP/2 of its frame."""
        framed = self._framed(data)
        self._write(framed[: len(framed) // 2])

    def raw(self, data: bytes) -> None:
        """Send bytes as they are, past framing and compression."""
        self._write(data)

    async def drained(self) -> None:
        """Wait until the client has taken most of what was sent."""
        await self.connection.drained()
        if self.connection.gone:
            raise Gone
        await self._until_pending(AHEAD)

    async def all_out(self) -> None:
        """Wait until the client's flow-control window, which only HTTP/2 has, has let out the whole answer."""
        self.held = True
        await self._until_pending(0)
        self.held = False

    async def _until_pending(self, most: int) -> None:
        while self.stream is not None and self.stream.pending > most:
            self._let_out.clear()
            await self._let_out.wait()

    def let_out(self) -> None:
        """The client's flow-control window has let something out."""
        self._let_out.set()

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

    # --- helpers ---------------------------------------------------------------------------------

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
