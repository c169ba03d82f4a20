"""HTTP or a WebSocket on one accepted connection: requests are read and answered one after the other."""

from __future__ import annotations

import asyncio
import contextlib

from hermes_diag.provider import record, replies, routes
from hermes_diag.provider.connection import Connection
from hermes_diag.provider.exchange import Exchange, Gone
from hermes_diag.provider.link import AHEAD
from hermes_diag.provider.service import Service
from hermes_diag.provider.turns import Turn, Turns
from hermes_diag.provider.websocket import NORMAL, WebSocket
from hermes_diag.provider.wire import WAITING, BadRequest, Misuse, Request, Wire

#: Seconds for which the rest of a refused request is read and dropped.
LINGER = 2.0
#: Seconds for which a client that has closed its half is still owed an answer that does not come: it may
#: be listening, or be gone for good, and only what is written to it would tell.
GRACE = 2.0
#: What is said of bytes that are no request, by status.
_REFUSED = {
    400: "This is not a valid HTTP/1.1 request.",
    413: "The request body is too large.",
    415: "The content-encoding of the request body is not supported.",
}
#: How a WebSocket is closed that says so.
CLOSE_FRAME = "close frame"


class Conversation(Connection):
    """A connection, and the requests on it. At most one exchange is under way."""

    def __init__(self, service: Service) -> None:
        super().__init__(service, service.listener.gone)
        self._service = service
        self._wire = Wire(service.body_limit)
        self._turns: Turns | None = None  # it is a WebSocket now
        self._lifetime: asyncio.TimerHandle | None = None  # until the WebSocket has lived long enough
        self._exchange: Exchange | None = None
        self.answer: asyncio.Task[None] | None = None  # the rest of an answer that is not out yet
        self._queued = False  # the next request has arrived already

    # --- asyncio ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._service.admit(self)
        self._service.watch_idle(self)

    def data_received(self, data: bytes) -> None:
        data = self.decrypted(data)
        if not data:
            return
        if self._owes:
            self.count_ahead(len(data))
        self.busy = True
        self.stop_timers()
        if self._turns is not None:
            self._hear(self._turns, data)
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
        """Whether the client is still owed an answer; if not, asyncio answers with our FIN."""
        self.blame("client", "fin")
        self.eof = True
        if self.closing or self.half_closed or self.vanished or not self._owes:
            return False
        exchange = self._exchange
        if exchange is not None and exchange.held:
            if not exchange.stalling:
                return False  # the answer will never come
            self.after(GRACE, lambda: self._give_up(exchange))
        return True

    def _give_up(self, exchange: Exchange) -> None:
        if self._exchange is exchange and exchange.held and not self.pending:
            self._transport.close()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._turns is not None and not self._owes:
            self.read_on()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.answer is not None:
            self.answer.cancel()
        if self._lifetime is not None:
            self._lifetime.cancel()
        self._service.part_with(self)

    # --- state -----------------------------------------------------------------------------------

    @property
    def _owes(self) -> bool:
        return self._exchange is not None or self._queued

    @property
    def settled(self) -> bool:
        if self._exchange is not None and not self._exchange.held:
            return False
        if self.eof and not self.vanished and not self._transport.is_closing():
            return self._exchange is not None  # silent, and for a moment longer
        return super().settled

    def release(self) -> None:
        """Let a held exchange go on."""
        if self._exchange is not None:
            self._exchange.release()

    # --- exchanges -------------------------------------------------------------------------------

    def _begin(self, request: Request, turn: Turn | None = None) -> None:
        self._queued = False
        self.stop_timers()
        self.requests += 1
        exchange = self._exchange = routes.exchange(self._service, self, turn or self._wire, request)
        try:
            rest = routes.dispatch(self._service, exchange)
        except Gone:
            self._answered(exchange, finished=False)
            return
        if rest is None and not self.slow:
            self._answered(exchange, finished=True)
        else:
            self.answer = asyncio.get_running_loop().create_task(self._answer(exchange, rest))

    async def _answer(self, exchange: Exchange, rest: routes.Rest | None) -> None:
        finished = False
        try:
            if rest is not None:
                await rest
            await exchange.all_sent()
            finished = exchange.finished
        except Gone:
            pass
        except Exception:  # whatever goes wrong in an answer, the client must not wait for ever
            self.abort()
        finally:
            self.answer = None
            self._answered(exchange, finished)

    def _answered(self, exchange: Exchange, finished: bool) -> None:
        self._exchange = None
        if exchange.websocket is not None:
            self._upgraded(exchange, exchange.websocket)
            return
        if exchange.delivered:
            routes.keep(self._service, exchange)
        elif exchange.number is not None:
            self._service.give_back(exchange.api, exchange.number)
        if not self.pending:
            self.at_full_speed()  # the next request may meet other faults
        if self._turns is not None and exchange.turn is not None:
            self._turns.done(exchange.turn)
        self._service.answered(record.of(exchange, self.serial, self.ledger.begun, finished), exchange.fault)
        what = "answered" if finished else "broken off"
        self.say(what, status=exchange.status, events=exchange.events_sent, fault=exchange.fault)
        if finished and not self.closing and not self.half_closed:
            self._next()
        elif self.half_closed and not self.gone:
            self.say("half-closed")

    def _upgraded(self, exchange: Exchange, websocket: WebSocket) -> None:
        """The upgrade is answered with 101."""
        fault = "" if exchange.fault == "healthy" else exchange.fault
        self._service.upgraded(fault)
        self.say("upgrade", status=exchange.status, path=exchange.place.name, fault=fault)
        self._turns = Turns(websocket, exchange.request)
        if websocket.lifetime is not None:
            self._lifetime = asyncio.get_running_loop().call_later(websocket.lifetime, self._expired, self._turns)
        self._hear(self._turns, self._wire.switch())

    def _expired(self, turns: Turns) -> None:
        turns.expired = True
        if not self._owes and self.writable:
            self._next_turn(turns)

    def _hear(self, turns: Turns, data: bytes) -> None:
        """Take bytes of the WebSocket."""
        turns.feed(data)
        self.write(turns.websocket.pending())
        if self.clogged:  # one that sends and does not read, be it pings
            self.count_ahead(AHEAD + 1)
        if turns.websocket.ended or not self._owes:
            self._next_turn(turns)

    def _next_turn(self, turns: Turns) -> None:
        if turns.websocket.ended:
            self.blame("client" if turns.websocket.closed_by_client else "provider", CLOSE_FRAME)
            self.linger(LINGER)
            return
        if turns.over and not turns.websocket.closes:
            self.write(turns.farewell())
            self.close_websocket(NORMAL)
            return
        turn = turns.next()
        if turn is not None:
            self._queued = True  # as below
            asyncio.get_running_loop().call_soon(self._begin_if_open, turn.request, turn)
        elif self.eof:
            self.fin()
        else:
            self._rest()

    def close_websocket(self, code: int) -> None:
        if self._turns is not None and self.writable:
            self.write(self._turns.websocket.close(code))
            self.blame("provider", CLOSE_FRAME)
            self.linger(LINGER)

    def _next(self) -> None:
        if self._turns is not None:
            self._next_turn(self._turns)
            return
        if not self._wire.keeps_alive:
            self.fin()
            return
        try:
            request = self._wire.next()
        except BadRequest as bad:
            self._refuse(bad.status)
            return
        if request is not None:
            # Not at once: a client that sends thousands of requests ahead must not nest them on our stack.
            self._queued = True
            asyncio.get_running_loop().call_soon(self._begin_if_open, request)
        elif self.eof:
            self.fin()
        else:
            self._rest()

    def _rest(self) -> None:
        if self._turns is None or not self.clogged:
            self.read_on()
        self.busy = False
        self._service.watch_idle(self)

    def _begin_if_open(self, request: Request, turn: Turn | None = None) -> None:
        if not self.closing and not self.gone:
            self._begin(request, turn)

    def _refuse(self, status: int) -> None:
        """Say what is wrong with bytes that are no request, and close."""
        if self._wire.state is WAITING and self._exchange is None:
            body = replies.error(_REFUSED.get(status, _REFUSED[400]), "invalid_request_error")
            headers = (("content-type", "application/json"), ("content-length", str(len(body))))
            with contextlib.suppress(Misuse):
                self.write(self._wire.head(status, headers, close=True) + self._wire.data(body) + self._wire.end())
        self.linger(LINGER)
