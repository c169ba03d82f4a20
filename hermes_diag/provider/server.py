"""The provider on a real socket: asyncio, 127.0.0.1, a port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import sys
from typing import Any

from hermes_diag.gateway.contract import FAULT_HEADER, TURN_HEADER
from hermes_diag.model import Connection as Seen
from hermes_diag.model import Served
from hermes_diag.provider import faults, replies
from hermes_diag.provider.exchange import Exchange, Gone
from hermes_diag.provider.wire import BadRequest, Request, Wire

APIS = {
    "/v1/responses": "responses",
    "/backend-api/codex/responses": "responses",
    "/v1/chat/completions": "chat",
}
#: How long the provider waits for the other side of anything it does at a barrier.
PATIENCE = 10.0
_ESTABLISHED = 1  # tcpi_state


class Provider:
    """Listens on 127.0.0.1 at a port the kernel chooses, until `stop`.

    idle_close: seconds after which an idle keep-alive connection is closed with a FIN. None and 0
    set no timer; `close_idle` then closes them at once, for conductors that do not wait on a clock.
    """

    def __init__(self, idle_close: float | None = None) -> None:
        self.idle_close = idle_close
        self.open: set[Connection] = set()
        self.served: list[Served] = []
        self.seen: list[Seen] = []
        self.closed: set[tuple[str, int]] = set()  # peers that were sent a FIN while idle
        self._held: dict[Exchange, asyncio.Event] = {}
        self._server: asyncio.Server | None = None
        self._serial = 0

    async def start(self) -> None:
        """Bind and listen. Raises OSError when the kernel gives no port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", 0, backlog=512)

    @property
    def address(self) -> tuple[str, int]:
        """(127.0.0.1, port)"""
        assert self._server is not None, "start() first"
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    @property
    def base_url(self) -> str:
        return "http://{}:{}/v1".format(*self.address)

    async def stop(self) -> None:
        """Stop listening and drop what is open."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.open):
            connection.abort()
        await asyncio.sleep(0)

    def next_serial(self) -> int:
        self._serial += 1
        return self._serial

    # --- what a conductor may order at a barrier -------------------------------------------------

    async def let_go(self, exchange: Exchange) -> None:
        """Wait, on behalf of a held exchange, for `release`."""
        event = self._held[exchange] = asyncio.Event()
        try:
            await event.wait()
        finally:
            self._held.pop(exchange, None)

    async def release(self) -> None:
        """Let every held exchange go on."""
        for event in self._held.values():
            event.set()

    async def settle(self) -> None:
        """Return once no exchange is being answered (held ones apart) and every FIN that has
        reached this side is dealt with. Raises TimeoutError after PATIENCE."""
        async with asyncio.timeout(PATIENCE):
            while not all(connection.settled for connection in self.open):
                await asyncio.sleep(0.001)

    async def close_idle(self) -> None:
        """Close every idle connection with a FIN; with an idle_close in seconds, wait for the timers
        to do it; without one leave them open. Raises TimeoutError."""
        if self.idle_close == 0:
            for connection in [one for one in self.open if one.idle]:
                connection.fin()
        if self.idle_close is not None:
            async with asyncio.timeout(PATIENCE + self.idle_close):
                while any(connection.idle or connection.closing for connection in self.open):
                    await asyncio.sleep(0.001)


class Connection(asyncio.Protocol):
    """One accepted connection: feeds the wire, runs one exchange at a time, keeps count."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.closing = False
        self._serial = provider.next_serial()
        self._wire = Wire()
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._requests = self._bytes_in = self._bytes_out = 0
        self._closed_first = self._how = ""

    # --- asyncio ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._socket: Any = transport.get_extra_info("socket")
        self._peer: tuple[str, int] = transport.get_extra_info("peername")[:2]
        self.provider.open.add(self)
        self._watch_idle()

    def data_received(self, data: bytes) -> None:
        self._bytes_in += len(data)
        if self.closing:
            return
        try:
            request = self._wire.feed(data)
        except BadRequest as bad:
            self._refuse(bad.status)
            return
        if self._wire.expects_continue:
            self.write(self._wire.go_on())
        if request is not None:
            self._begin(request)

    def eof_received(self) -> bool:
        self._blame("client", "fin")
        return False  # asyncio answers with our FIN

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, ConnectionError):
            self._blame("client", "reset")
        self._stop_timer()
        if self._task is not None:
            self._task.cancel()
        self.provider.open.discard(self)
        seen = Seen(self._serial, self._requests, self._bytes_in, self._bytes_out, self._closed_first, self._how)
        self.provider.seen.append(seen)

    # --- state -----------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Nothing is being answered and nobody has closed."""
        return self._exchange is None and not self.closing and not self._closed_first

    @property
    def settled(self) -> bool:
        if self._transport.is_closing():
            return False  # connection_lost is still to come
        if self._exchange is not None and not self._exchange.held:
            return False
        # Any other state is news from the peer that asyncio has not read yet.
        return _tcp_state(self._socket) in (None, _ESTABLISHED)

    # --- verbs -----------------------------------------------------------------------------------

    def write(self, data: bytes) -> bool:
        """Send bytes; False when the connection is gone."""
        if self._transport.is_closing():
            return False
        self._transport.write(data)
        self._bytes_out += len(data)
        return True

    def fin(self) -> None:
        """Close as a server closes an idle connection."""
        self._blame("provider", "fin")
        self.closing = True
        self._stop_timer()
        self.provider.closed.add(self._peer)
        self._transport.close()

    def abort(self) -> None:
        """Drop the connection, whatever is under way."""
        self._blame("provider", "fin")
        self.closing = True
        self._transport.abort()

    def _blame(self, who: str, how: str) -> None:
        if not self._closed_first:
            self._closed_first, self._how = who, how

    # --- exchanges -------------------------------------------------------------------------------

    def _begin(self, request: Request) -> None:
        self._stop_timer()
        self._requests += 1
        exchange = self._exchange = _exchange(self, self._wire, request)
        self._task = asyncio.get_running_loop().create_task(self._answer(exchange))

    async def _answer(self, exchange: Exchange) -> None:
        finished = False
        try:
            await _dispatch(exchange)
            finished = True
        except Gone:
            pass
        except Exception:  # a fault that was given nonsense must not leave the client waiting
            self.abort()
        finally:
            turn = exchange.request.headers.get(TURN_HEADER, "")
            self.provider.served.append(Served(turn, self._serial, exchange.status, exchange.events_sent, finished))
            self._exchange = self._task = None
        if finished:
            self._next()

    def _next(self) -> None:
        if not self._wire.keeps_alive:
            self.fin()
            return
        try:
            request = self._wire.next()
        except BadRequest as bad:
            self._refuse(bad.status)
            return
        if request is not None:
            self._begin(request)
        else:
            self._watch_idle()

    def _refuse(self, status: int) -> None:
        with contextlib.suppress(Exception):  # h11 may be past the point where it can answer
            body = replies.error("This is not a valid HTTP/1.1 request.", "invalid_request_error")
            headers = [("content-length", str(len(body))), ("connection", "close")]
            self.write(self._wire.head(status, headers) + self._wire.data(body) + self._wire.end())
        self.fin()

    def _watch_idle(self) -> None:
        if self.provider.idle_close:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.provider.idle_close, self.fin)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _exchange(connection: Connection, wire: Wire, request: Request) -> Exchange:
    api = APIS.get(request.path, "")
    body: Any = None
    if api and request.method == "POST":
        with contextlib.suppress(ValueError, RecursionError):
            body = json.loads(request.body)
    if not isinstance(body, dict):
        return Exchange(connection, wire, request, api, "", streamed=False, valid=False)
    model = body.get("model")
    return Exchange(
        connection, wire, request, api, model if isinstance(model, str) else "gpt-5", body.get("stream") is True
    )


async def _dispatch(exchange: Exchange) -> None:
    method, path = exchange.request.method, exchange.request.path
    if path == "/v1/models":
        if method == "GET":
            exchange.whole(200, replies.models())
        else:
            exchange.whole(405, replies.error(f"Not allowed: {method}", "invalid_request_error"))
    elif not exchange.api:
        exchange.whole(404, replies.error("Unknown path.", "invalid_request_error"))
    elif method != "POST":
        exchange.whole(405, replies.error("Only POST here.", "invalid_request_error"))
    elif not exchange.valid:
        exchange.whole(400, replies.error("The body is not a JSON object.", "invalid_request_error"))
    else:
        name, _, argument = exchange.request.headers.get(FAULT_HEADER, "healthy").partition("=")
        answer = faults.find(name)
        if answer is None:
            exchange.whole(400, replies.error("No such fault.", "invalid_request_error"))
        else:
            await answer(exchange, argument)


def _tcp_state(sock: socket.socket) -> int | None:
    """The kernel's state of our side of the connection, None where it cannot be asked."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return int(struct.unpack("B", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1))[0])
    except OSError:
        return None
