"""HTTP or a WebSocket on one accepted connection: requests are read and answered one after the other."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from hermes_diag.provider.conversations import answering
from hermes_diag.provider.exchange import Exchange
from hermes_diag.provider.protocols import frames
from hermes_diag.provider.protocols.http1 import NOT_HTTP1, WAITING, BadRequest, Misuse, Wire
from hermes_diag.provider.protocols.request import Request
from hermes_diag.provider.protocols.websocket import CLOSE_FRAME, NORMAL, WebSocket
from hermes_diag.provider.routing import routes
from hermes_diag.provider.service import Service
from hermes_diag.provider.transport.connection import Connection
from hermes_diag.provider.transport.link import AHEAD
from hermes_diag.provider.turns import Turn, Turns
from hermes_diag.provider.waits import Gone

if TYPE_CHECKING:
    from hermes_diag.provider.conversations.http2 import Streams

#: Seconds for which a client that has closed its half, or is gone for good, is still owed an answer that stalls.
GRACE = 2.0


class Conversation(Connection):
    """A connection, and the requests on it. At most one exchange is under way."""

    def __init__(self, service: Service) -> None:
        super().__init__(service, service.listener.gone)
        self._service = service
        self._wire = Wire(service.body_limit, service.room)
        self._turns: Turns | None = None  # it is a WebSocket now
        self._lifetime: asyncio.TimerHandle | None = None  # until the WebSocket has lived long enough
        self._exchange: Exchange | None = None
        self._answer_task: asyncio.Task[None] | None = None  # the rest of an answer that is not out yet
        self._queued = False  # the next request has arrived already
        self._arriving: asyncio.TimerHandle | None = None  # until a request must have arrived
        self._streams: Streams | None = None  # once the client has begun to speak HTTP/2

    # --- asyncio ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._service.admit(self)
        self._service.watch_idle(self)

    def data_received(self, data: bytes) -> None:
        data = self.decrypted(data)
        if not data:
            return
        if (streams := self._streams or self._begins_http2()) is not None:
            streams.take(data)
            if self.clogged:  # it does not read: neither do we
                self.read_no_further()
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
        elif not self._owes and self._arriving is None:
            self._arriving = asyncio.get_running_loop().call_later(answering.SLOWEST, self._refuse, 408)

    def _arrived(self) -> None:
        if self._arriving is not None:
            self._arriving.cancel()
        self._arriving = None

    def _begins_http2(self) -> Streams | None:
        """The streams of a client with which ALPN has chosen HTTP/2; None where it has not."""
        if self._tls is None or self._tls.chosen != "h2":
            return None
        from hermes_diag.provider.conversations.http2 import Streams  # with h2, which few clients need

        self._streams = Streams(self, self._service)
        self.say("speaks HTTP/2")
        return self._streams

    def eof_received(self) -> bool:
        """Whether the client is still owed an answer; if not, asyncio answers with our FIN."""
        self.blame("client", "fin")
        self.eof = True
        if self.closing or self.half_closed or self.vanished or not self._owes:
            return False
        exchanges = self._exchanges
        if exchanges and all(exchange.held for exchange in exchanges):
            if not any(exchange.stalling for exchange in exchanges):
                return False  # the answer will never come
            self.after(GRACE, lambda: self._give_up(exchanges))
        return True

    def _give_up(self, exchanges: tuple[Exchange, ...]) -> None:
        if self._exchanges == exchanges and all(exchange.held for exchange in exchanges) and not self.pending:
            self._transport.close()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._streams is not None or (self._turns is not None and not self._owes):
            self.read_on()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for answer in self.answers:
            answer.cancel()
        self._arrived()
        self._wire.forget()
        if self._streams is not None:
            self._streams.lost()
        if self._lifetime is not None:
            self._lifetime.cancel()
        self._service.part_with(self)

    # --- state -----------------------------------------------------------------------------------

    @property
    def _owes(self) -> bool:
        return bool(self._exchanges) or self._queued

    @property
    def _exchanges(self) -> tuple[Exchange, ...]:
        """What is being answered: on HTTP/1.1 one at most."""
        if self._streams is not None:
            return self._streams.exchanges
        return () if self._exchange is None else (self._exchange,)

    @property
    def answers(self) -> tuple[asyncio.Task[None] | asyncio.Task[bool], ...]:
        """The answers of which a part is not out yet."""
        if self._streams is not None:
            return self._streams.answers
        return () if self._answer_task is None else (self._answer_task,)

    @property
    def settled(self) -> bool:
        exchanges = self._exchanges
        if not all(exchange.held for exchange in exchanges):
            return False
        if self.eof and not self.vanished and not self._transport.is_closing():
            return bool(exchanges)  # silent, and for a moment longer
        return super().settled

    def release(self) -> None:
        """Let held exchanges go on."""
        for exchange in self._exchanges:
            exchange.release()

    def fin(self, notify: bool = True) -> None:
        if self.idle and notify:
            self.retire()
        super().fin(notify)

    def retire(self) -> bool:
        if self._streams is not None:
            self.write(self._streams.farewell())
            self.say("sent GOAWAY")
        return self._streams is not None

    # --- exchanges -------------------------------------------------------------------------------

    def _begin(self, request: Request, turn: Turn | None = None) -> None:
        self._queued = False
        self._arrived()
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
            self._answer_task = asyncio.get_running_loop().create_task(self._answer(exchange, rest))

    async def _answer(self, exchange: Exchange, rest: routes.Rest | None) -> None:
        finished = False
        try:
            finished = await answering.through(exchange, rest)
        finally:
            self._answer_task = None
            self._answered(exchange, finished)

    def _answered(self, exchange: Exchange, finished: bool) -> None:
        self._exchange = None
        if exchange.websocket is not None:
            self._upgraded(exchange, exchange.websocket)
            return
        if self._turns is not None and exchange.turn is not None:
            self._turns.done(exchange.turn)
        answering.over(self._service, exchange, finished)
        self.at_full_speed()
        if finished and not self.closing and not self.half_closed:
            self._next()

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
            self.linger()
            return
        if turns.over and not turns.websocket.closes:
            self.write(turns.farewell())
            self.close_websocket(NORMAL)
            return
        turn = turns.next()
        if turn is not None:
            self._queued = True  # as below
            asyncio.get_running_loop().call_soon(self._begin_if_open, turn.request, turn)
        else:
            self._rest()

    def close_websocket(self, code: int) -> bool:
        if self._turns is None or not self.writable:
            return False
        self.write(self._turns.websocket.close(code))
        self.blame("provider", CLOSE_FRAME)
        self.linger()
        return True

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
        else:
            self._rest()

    def _rest(self) -> None:
        if self.eof:
            self.fin()
            return
        if self._turns is None or not self.clogged:
            self.read_on()
        self.busy = False
        self._service.watch_idle(self)

    def _begin_if_open(self, request: Request, turn: Turn | None = None) -> None:
        if not self.closing and not self.gone:
            self._begin(request, turn)

    def _refuse(self, status: int) -> None:
        """Say what is wrong with bytes that are no request, and close."""
        self._wire.forget()
        if status == NOT_HTTP1:
            self.write(frames.not_here())
        elif self._wire.state is WAITING and self._exchange is None:
            headers, body = answering.refusal(status)
            with contextlib.suppress(Misuse):
                self.write(self._wire.head(status, headers, close=True) + self._wire.data(body) + self._wire.end())
        self.linger()
