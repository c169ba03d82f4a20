"""HTTP on one accepted connection: requests are read and answered one after the other, in every fault's way."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from hermes_diag.provider import frames, replies, routes
from hermes_diag.provider.connection import Connection
from hermes_diag.provider.exchange import Exchange, Gone
from hermes_diag.provider.service import Service
from hermes_diag.provider.wire import NOT_HTTP1, SENT, WAITING, BadRequest, Misuse, Request, Wire

if TYPE_CHECKING:
    from hermes_diag.provider.streams import Streams

#: Seconds for which the rest of a refused request is read and dropped.
LINGER = 2.0
#: Seconds for which a client that has closed its half is still owed an answer that does not come: it may
#: be listening, or be gone for good, and only what is written to it would tell.
GRACE = 2.0


class Conversation(Connection):
    """A connection, and the requests on it. At most one exchange is under way."""

    def __init__(self, service: Service) -> None:
        super().__init__(service, service.listener.gone)
        self._service = service
        self._wire = Wire(service.body_limit)
        self._exchange: Exchange | None = None
        self._answer_task: asyncio.Task[None] | None = None  # the rest of an answer that is not out yet
        self._queued = False  # the next request has arrived already
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
        if self._streams is not None or self._begins_http2():
            self._take(data)
            return
        if self._owes:
            self.count_ahead(len(data))
        self.busy = True
        self.stop_timers()
        try:
            request = self._wire.feed(data)
        except BadRequest as bad:
            self._refuse(bad.status)
            return
        if self._wire.expects_continue:
            self.write(self._wire.go_on())
        if request is not None:
            self._begin(request)

    def _begins_http2(self) -> bool:
        """Whether these are the first bytes of a client with which ALPN has chosen HTTP/2."""
        if self._tls is None or self._tls.chosen != "h2":
            return False
        from hermes_diag.provider.streams import Streams  # with h2, which few clients need

        self._streams = Streams(self, self._service)
        self.say("speaks HTTP/2")
        return True

    def _take(self, data: bytes) -> None:
        assert self._streams is not None
        self._streams.take(data)
        if self._writable is not None and not self._writable.is_set():  # it does not read: neither do we
            self.read_no_further()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._streams is not None:
            self.read_on()

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
        if self._exchanges == exchanges and all(exchange.held for exchange in exchanges):
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for answer in self.answers:
            answer.cancel()
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
        if self.idle:
            self.retire()
        super().fin(notify)

    def retire(self) -> None:
        if self._streams is not None:
            self.write(self._streams.farewell())
            self.say("sent GOAWAY")

    # --- exchanges -------------------------------------------------------------------------------

    def _begin(self, request: Request) -> None:
        self._queued = False
        self.stop_timers()
        self.requests += 1
        exchange = self._exchange = routes.exchange(self._service, self, self._wire, request)
        try:
            rest = routes.dispatch(self._service, exchange)
        except Gone:
            self._answered(exchange, finished=False)
            return
        if rest is None:
            self._answered(exchange, finished=True)
        else:
            self._answer_task = asyncio.get_running_loop().create_task(self._answer(exchange, rest))

    async def _answer(self, exchange: Exchange, rest: routes.Rest) -> None:
        finished = False
        try:
            await rest
            finished = self._wire.state is SENT
        except Gone:
            pass
        except Exception:  # whatever goes wrong in an answer, the client must not wait for ever
            self.abort()
        finally:
            self._answer_task = None
            self._answered(exchange, finished)

    def _answered(self, exchange: Exchange, finished: bool) -> None:
        self._exchange = None
        self._service.over(exchange, finished)
        if finished and not self.closing and not self.half_closed:
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
            # Not at once: a client that sends thousands of requests ahead must not nest them on our stack.
            self._queued = True
            asyncio.get_running_loop().call_soon(self._begin_if_open, request)
        elif self.eof:
            self.fin()
        else:
            self.read_on()
            self.busy = False
            self._service.watch_idle(self)

    def _begin_if_open(self, request: Request) -> None:
        if not self.closing and not self.gone:
            self._begin(request)

    def _refuse(self, status: int) -> None:
        """Say what is wrong with bytes that are no request, and close."""
        if status == NOT_HTTP1:
            self.write(frames.not_here())
        elif self._wire.state is WAITING and self._exchange is None:
            body = replies.error("This is not a valid HTTP/1.1 request.", "invalid_request_error")
            if status == 413:
                body = replies.error("The request body is too large.", "invalid_request_error")
            headers = (("content-type", "application/json"), ("content-length", str(len(body))))
            with contextlib.suppress(Misuse):
                self.write(self._wire.head(status, headers, close=True) + self._wire.data(body) + self._wire.end())
        self.linger(LINGER)
