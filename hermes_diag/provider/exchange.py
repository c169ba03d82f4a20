"""One request and the verbs with which a fault may answer it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hermes_diag.provider import replies
from hermes_diag.provider.wire import Request, Wire

if TYPE_CHECKING:
    from hermes_diag.provider.server import Connection

SSE_HEADERS = [("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache")]


class Gone(Exception):
    """The client has left; a fault that is still answering ends here."""


class Exchange:
    """What a fault sees: the request, the reply a healthy provider would give, and the verbs."""

    def __init__(
        self,
        connection: Connection,
        wire: Wire,
        request: Request,
        api: str,
        model: str,
        streamed: bool,
        valid: bool = True,
    ) -> None:
        self._connection = connection
        self._wire = wire
        self.request = request
        self.api = api
        self.model = model
        self.streamed = streamed
        self.valid = valid  # the body is a JSON object
        self.status = 0
        self.events_sent = 0
        self.held = False

    def events(self) -> tuple[bytes, ...]:
        """The events of the healthy streamed reply."""
        return replies.stream(self.api, self.model)

    def start(self, status: int = 200, headers: Iterable[tuple[str, str]] = SSE_HEADERS) -> None:
        """Send status line and headers; a body without content-length is chunked."""
        self.status = status
        self._write(self._wire.head(status, list(headers)))

    def send(self, *events: bytes) -> None:
        """Send events, each a chunk of its own, in one write."""
        self._write(b"".join(self._wire.data(event) for event in events))
        self.events_sent += sum(event != replies.DONE for event in events)

    def finish(self) -> None:
        """End the body properly; the connection is kept."""
        self._write(self._wire.end())

    def whole(self, status: int, body: bytes, content_type: str = "application/json") -> None:
        """A whole response at once."""
        self.status = status
        head = self._wire.head(status, [("content-type", content_type), ("content-length", str(len(body)))])
        self._write(head + self._wire.data(body) + self._wire.end())

    async def stall(self, seconds: float) -> None:
        """Say nothing for so long."""
        await asyncio.sleep(seconds)

    async def hold(self) -> None:
        """Say nothing until the conductor lets go (`Provider.release`)."""
        self.held = True
        await self._connection.provider.let_go(self)
        self.held = False

    def _write(self, data: bytes) -> None:
        if not self._connection.write(data):
            raise Gone
