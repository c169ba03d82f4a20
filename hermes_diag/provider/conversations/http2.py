"""HTTP/2 on one accepted connection: any number of requests at a time, each answered in every fault's way."""

from __future__ import annotations

import asyncio

from hermes_diag.provider.conversations import answering
from hermes_diag.provider.exchange import Exchange
from hermes_diag.provider.protocols.http2 import ASKED, BEGUN, LEFT, REFUSED, Broken, Session
from hermes_diag.provider.protocols.stream import Stream
from hermes_diag.provider.routing import routes
from hermes_diag.provider.service import Service
from hermes_diag.provider.transport.connection import Connection
from hermes_diag.provider.waits import Gone


class Streams:
    """The exchanges on one connection."""

    def __init__(self, connection: Connection, service: Service) -> None:
        self._connection = connection
        self._service = service
        connection.http2 = True
        self._session = Session(service.body_limit, connection.window, connection.deaf, room=service.room)
        self._exchanges: dict[Stream, Exchange] = {}
        self._answers: dict[Stream, asyncio.Task[bool]] = {}
        self._arriving: dict[Stream, asyncio.TimerHandle] = {}  # until a request must have arrived
        self._ends = False  # a response has said that the connection ends when nothing is being answered

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """What is being answered."""
        return tuple(self._exchanges.values())

    @property
    def answers(self) -> tuple[asyncio.Task[bool], ...]:
        """The answers of which a part is not out yet."""
        return tuple(self._answers.values())

    def farewell(self) -> bytes:
        """What is said before an idle connection is closed: a GOAWAY."""
        return self._session.goaway()

    # --- what arrives ----------------------------------------------------------------------------

    def take(self, data: bytes) -> None:
        """Act on bytes of the client."""
        connection = self._connection
        try:
            for what, stream in self._session.feed(data):
                self._act(what, stream)
                if connection.closing or not connection.writable:
                    return
        except Broken:
            connection.write(self._session.outgoing())
            connection.linger()
            return
        if sent := self._session.outgoing():
            connection.write(sent)
        self._rest()

    def _act(self, what: str, stream: Stream) -> None:
        exchange = self._exchanges.get(stream)
        if (arriving := self._arriving.pop(stream, None)) is not None:
            arriving.cancel()
        if what is BEGUN:
            self._arriving[stream] = asyncio.get_running_loop().call_later(answering.SLOWEST, self._too_slow, stream)
            self._connection.busy = True
            self._connection.stop_timers()
        elif what is ASKED:
            self._begin(stream)
        elif what is REFUSED:
            self._refuse(stream)
        elif exchange is not None and what is LEFT:
            exchange.held = False  # not silent any more: at its end
            self._answers[stream].cancel()
        elif exchange is not None:
            exchange.let_out()

    def _too_slow(self, stream: Stream) -> None:
        del self._arriving[stream]
        if self._connection.writable:
            stream.forget_body()
            stream.status = 408
            self._refuse(stream)
            self._rest()

    def _refuse(self, stream: Stream) -> None:
        headers, body = answering.refusal(stream.status)
        self._connection.write(stream.refuse(headers, body))

    def lost(self) -> None:
        """The connection is gone: nothing more arrives."""
        for arriving in self._arriving.values():
            arriving.cancel()
        self._session.lost()

    # --- exchanges -------------------------------------------------------------------------------

    def _begin(self, stream: Stream) -> None:
        self._connection.requests += 1
        if not self._exchanges:
            self._connection.at_full_speed()  # what a client has reset may have been dripping until now
        exchange = routes.exchange(self._service, self._connection, stream, stream.request)
        self._exchanges[stream] = exchange
        try:
            rest = routes.dispatch(self._service, exchange)
        except Gone:
            self._over(stream, finished=False)
            return
        if rest is None and not exchange.withheld and not self._connection.slow:
            self._over(stream, finished=True)
        else:
            task = asyncio.get_running_loop().create_task(answering.through(exchange, rest))
            self._answers[stream] = task
            task.add_done_callback(lambda task: self._answered(stream, rest, task))

    def _answered(self, stream: Stream, rest: routes.Rest | None, task: asyncio.Task[bool]) -> None:
        if rest is not None:
            rest.close()  # a client that resets a stream at once: the answer was cancelled before it began
        del self._answers[stream]
        self._over(stream, finished=not task.cancelled() and task.result())

    def _over(self, stream: Stream, finished: bool) -> None:
        exchange = self._exchanges.pop(stream)
        self._ends = self._ends or stream.closes
        answering.over(self._service, exchange, finished)
        if not self._exchanges:
            self._connection.at_full_speed()
        self._rest()

    def _rest(self) -> None:
        """When nothing is being answered any more: close, if that is due, or let the connection be idle."""
        connection, session = self._connection, self._session
        if self._exchanges or session.arriving or not connection.busy:
            return
        if connection.closing or not connection.writable:
            return
        connection.busy = False
        if self._ends or session.client_leaves or connection.eof:
            connection.fin()
        else:
            self._service.watch_idle(connection)
