"""One accepted connection: feeds the wire, runs one exchange at a time, keeps count, closes in every way."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any

from hermes_diag.core.evidence import Connection as Seen
from hermes_diag.core.evidence import Served
from hermes_diag.provider import replies, routes
from hermes_diag.provider.exchange import Exchange, Gone
from hermes_diag.provider.tls import VALID, Refused, Tls
from hermes_diag.provider.wire import SENT, WAITING, BadRequest, Misuse, Request, Wire
from hermes_diag.worker.contract import TURN_HEADER

if TYPE_CHECKING:
    from hermes_diag.provider.server import Provider

#: Seconds for which the rest of a refused request is read and dropped.
LINGER = 2.0
#: Seconds for which a client that has closed its half is still owed an answer that does not come: it may
#: be listening, or be gone for good, and only what is written to it would tell.
GRACE = 2.0
#: Bytes that a client may send ahead of the answer it waits for, and seconds between two looks at one that
#: went further: while nothing is read from it, nobody says that it has left.
AHEAD = 64 * 1024
_GLANCE = 1.0
#: Numbers that TCP_INFO gives the states of our side.
_ESTABLISHED, _FIN_WAIT1, _FIN_WAIT2 = 1, 4, 5
_SO_ATTACH_FILTER = 26
_TCP_REPAIR = 19
_LINGER_RESET = struct.pack("ii", 1, 0)


class Connection(asyncio.Protocol):
    """What one client socket does to us, and we to it."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.closing = False
        self.gone = False
        self.vanished = False
        self.serial = 0
        self.certificate = VALID
        self.requests = self.bytes_in = self.bytes_out = 0
        self._closed_first = self._how = ""
        self._wire = Wire(provider.body_limit)
        self._tls: Tls | None = None
        self._exchange: Exchange | None = None
        self.answer: asyncio.Task[None] | None = None  # that is not out yet
        self._timers: list[asyncio.TimerHandle] = []
        self._half_closed = self._reset_on_hello = self._receiving = False
        self._eof = False  # the client has closed its half; it may still be owed an answer
        self._queued = False  # its next request is here already
        self._ahead = 0
        self._glance: asyncio.TimerHandle | None = None  # set while nothing is read
        self._writable: asyncio.Event | None = None  # set up by the first pause

    # --- asyncio ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._socket: Any = transport.get_extra_info("socket")
        self._peer: tuple[str, int] = (transport.get_extra_info("peername") or ("", 0))[:2]
        self.provider.admit(self)
        self._watch_idle()

    def secure(self, tls: Tls) -> None:
        """Speak TLS on this connection, from its first byte on."""
        self._tls = tls

    def reset_on_hello(self) -> None:
        """Answer the first byte of the TLS handshake with a RST."""
        self._reset_on_hello = True

    def data_received(self, data: bytes) -> None:
        self.bytes_in += len(data)
        if self.closing or self.vanished or self._half_closed:
            return
        if self._reset_on_hello:
            self.reset()
            return
        if self._tls is not None:
            data = self._decrypt(self._tls, data)
            if self._tls.ended and not self.closing:
                asyncio.get_running_loop().call_soon(self._ended)
            if not data:
                return
        if self._owes:
            self._count_ahead(len(data))
        self._receiving = True
        self._stop_timers()
        try:
            request = self._wire.feed(data)
        except BadRequest as bad:
            self._refuse(bad.status)
            return
        if self._wire.expects_continue:
            self.write(self._wire.go_on())
        if request is not None:
            self._begin(request)

    def _decrypt(self, tls: Tls, data: bytes) -> bytes:
        try:
            plain, answer = tls.feed(data)
        except Refused:
            self._send(tls.pending())
            self.fin(notify=False)
            return b""
        if answer:
            self._send(answer)
        return plain

    def _count_ahead(self, size: int) -> None:
        """Read no further from a client that sends much more than it has got answers for."""
        self._ahead += size
        if self._ahead > AHEAD and self._glance is None:
            self._transport.pause_reading()
            self._glance = asyncio.get_running_loop().call_later(_GLANCE, self._look_again)

    def _look_again(self) -> None:
        """Read on from a client that has closed, so that asyncio comes to see it."""
        if _tcp_state(self._socket) in (None, _ESTABLISHED):
            self._glance = asyncio.get_running_loop().call_later(_GLANCE, self._look_again)
        else:
            self._read_on()

    def _read_on(self) -> None:
        self._ahead = 0
        if self._glance is not None:
            self._glance.cancel()
            self._glance = None
            self._transport.resume_reading()

    def eof_received(self) -> bool:
        """Whether the client is still owed an answer; if not, asyncio answers with our FIN."""
        self._blame("client", "fin")
        self._eof = True
        if self.closing or self._half_closed or self.vanished or not self._owes:
            return False
        exchange = self._exchange
        if exchange is not None and exchange.held:
            if not exchange.stalling:
                return False  # nothing will come of waiting
            self._timers.append(asyncio.get_running_loop().call_later(GRACE, self._give_up, exchange))
        return True

    def _ended(self) -> None:
        """The client has said in TLS that it will say no more, which is as good as its FIN."""
        if not self._eof and not self._transport.is_closing() and not self.eof_received():
            self.fin()

    def _give_up(self, exchange: Exchange) -> None:
        if self._exchange is exchange and exchange.held:
            self._transport.close()

    @property
    def _owes(self) -> bool:
        return self._exchange is not None or self._queued

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, ConnectionError):
            self._blame("client", "reset")
        self.gone = True
        self._stop_timers()
        if self._glance is not None:
            self._glance.cancel()
        self.resume_writing()
        if self.answer is not None:
            self.answer.cancel()
        self.provider.lost(
            self, Seen(self.serial, self.requests, self.bytes_in, self.bytes_out, self._closed_first, self._how)
        )

    def pause_writing(self) -> None:
        if self._writable is None:
            self._writable = asyncio.Event()
        self._writable.clear()

    def resume_writing(self) -> None:
        if self._writable is not None:
            self._writable.set()

    async def drained(self) -> None:
        """Return once the client has taken most of what was sent, or is gone."""
        if self._writable is not None:
            await self._writable.wait()

    # --- state -----------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Nothing is being answered and nobody has closed."""
        busy = self._exchange is not None or self._receiving
        return not (busy or self.closing or self._closed_first or self.vanished)

    @property
    def awaits_timer(self) -> bool:
        """A fault will act on this connection if it stays idle."""
        return self.idle and bool(self._timers)

    @property
    def settled(self) -> bool:
        if self._transport.is_closing():
            return False  # connection_lost is still to come
        if self._exchange is not None and not self._exchange.held:
            return False
        if self.vanished:
            return True
        if self._eof:
            return self._exchange is not None  # silent, and for a moment longer
        # Any other state is news from the peer that asyncio has not read yet.
        resting = (_FIN_WAIT1, _FIN_WAIT2) if self._half_closed else (_ESTABLISHED,)
        return _tcp_state(self._socket) in (None, *resting)

    # --- verbs -----------------------------------------------------------------------------------

    def write(self, data: bytes) -> bool:
        """Send bytes; False when the connection is gone, or our half of it."""
        if self._half_closed or self.vanished or self._transport.is_closing():
            return False
        if self.provider.observed and self._exchange is not None and not self._exchange.begun:
            self._exchange.begun = True
            self.provider.say(self, "first byte")
        self._send(self._tls.encrypt(data) if self._tls is not None and data else data)
        return True

    def _send(self, data: bytes) -> None:
        self._transport.write(data)
        self.bytes_out += len(data)

    def fin(self, notify: bool = True) -> None:
        """Close as a server closes an idle connection; on TLS with a close_notify unless told otherwise."""
        if self._tls is not None and notify and not self._half_closed and not self._transport.is_closing():
            self._send(self._tls.close_notify())
        self._end("fin")
        self.provider.was_sent_fin(self._peer)
        self._transport.close()

    def half_close(self) -> None:
        """Close our half with a FIN and keep reading."""
        if self._tls is not None:
            self._send(self._tls.close_notify())
        self._blame("provider", "half-close")
        self._half_closed = True
        self._stop_timers()
        self.provider.was_sent_fin(self._peer)
        self._transport.write_eof()

    def reset(self) -> None:
        """Close with a RST."""
        self._end("reset")
        with contextlib.suppress(OSError):  # the client was quicker
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        self.provider.was_sent_fin(self._peer)
        self._transport.abort()

    def vanish(self, seconds: float) -> None:
        """Drop the connection without a packet: whatever the client still sends meets no answer for so long.

        The kernel ignores every segment of it (a socket filter that takes nothing). Where that is not
        allowed, the connection accepts and never answers; `Provider.vanish_is_real` tells which.
        """
        self.vanished = True
        self._blame("provider", "vanish")
        self._stop_timers()
        self.provider.lost_sight(self, drop_everything(self._socket))
        self._timers.append(asyncio.get_running_loop().call_later(seconds, self._release))

    def _release(self) -> None:
        """Give a vanished connection up. What the client does is not heard, so that it has closed is no cue."""
        close_silently(self._socket)
        self.abort()

    def abort(self) -> None:
        """Drop the connection, whatever is under way."""
        if self.vanished:
            with contextlib.suppress(OSError):  # a FIN would wait for an ACK that the filter eats
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        self._end("fin")
        self._transport.abort()

    def _end(self, how: str) -> None:
        self._blame("provider", how)
        self.closing = True
        self._stop_timers()

    def _blame(self, who: str, how: str) -> None:
        if not self._closed_first:
            self._closed_first, self._how = who, how

    # --- exchanges -------------------------------------------------------------------------------

    def _begin(self, request: Request) -> None:
        self._queued = False
        self._stop_timers()
        self.requests += 1
        exchange = self._exchange = routes.exchange(self.provider, self, self._wire, request)
        try:
            waiting = routes.dispatch(self.provider, exchange)
        except Gone:
            self._answered(exchange, finished=False)
            return
        if waiting is None:
            self._answered(exchange, finished=True)
        else:
            self.answer = asyncio.get_running_loop().create_task(self._answer(exchange, waiting))

    async def _answer(self, exchange: Exchange, waiting: routes.Waiting) -> None:
        finished = False
        try:
            await waiting
            finished = self._wire.state is SENT
        except Gone:
            pass
        except Exception:  # whatever an answer trips over, the client must not wait for ever
            self.abort()
        finally:
            self.answer = None
            self._answered(exchange, finished)

    def _answered(self, exchange: Exchange, finished: bool) -> None:
        turn = exchange.request.headers.get(TURN_HEADER, "")
        served = Served(turn, self.serial, exchange.status, exchange.events_sent, finished, exchange.api)
        self._exchange = None
        self.provider.answered(self, served, exchange)
        if finished and not self.closing and not self._half_closed:
            self._next()
        elif self._half_closed and not self.gone:
            self.provider.say(self, "half-closed")

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
            # Not at once: a peer that sends thousands of requests ahead must not nest them on our stack.
            self._queued = True
            asyncio.get_running_loop().call_soon(self._begin_if_open, request)
        elif self._eof:
            self.fin()
        else:
            self._read_on()
            self._watch_idle()

    def _begin_if_open(self, request: Request) -> None:
        if not self.closing and not self.gone:
            self._begin(request)

    def _refuse(self, status: int) -> None:
        """Say what is wrong with bytes that are no request, and close."""
        if self._wire.state is WAITING and self._exchange is None:
            body = replies.error("This is not a valid HTTP/1.1 request.", "invalid_request_error")
            if status == 413:
                body = replies.error("The request body is too large.", "invalid_request_error")
            headers = (("content-type", "application/json"), ("content-length", str(len(body))))
            with contextlib.suppress(Misuse):
                self.write(self._wire.head(status, headers, close=True) + self._wire.data(body) + self._wire.end())
        self._linger()

    def _linger(self) -> None:
        """Close our half and read on for a moment: a close with bytes unread is a RST, and the client
        that is still sending would never read why it was refused."""
        if self._half_closed or self._transport.is_closing():
            return
        self._end("fin")
        self._half_closed = True
        self.provider.was_sent_fin(self._peer)
        self._transport.write_eof()
        self._timers.append(asyncio.get_running_loop().call_later(LINGER, self._transport.abort))

    def _watch_idle(self) -> None:
        self._receiving = False
        for seconds, act in self.provider.at_idle(self):
            self._timers.append(asyncio.get_running_loop().call_later(seconds, act))

    def watch_anew(self) -> None:
        """Other faults were set: what the old ones had in mind for this idle connection is off."""
        if self.vanished:
            self._release()
        elif self.idle:
            self._stop_timers()
            self._watch_idle()

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()


def drop_everything(sock: Any) -> bool:
    """Have the kernel ignore all that arrives on a socket; False where that is not allowed.

    Linux, and there it may need root: EPERM was seen for an ordinary user.
    """
    if not sys.platform.startswith("linux"):
        return False
    take_nothing = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF_RET | BPF_K, 0 bytes
    code = ctypes.create_string_buffer(take_nothing)
    program = struct.pack("HL", 1, ctypes.addressof(code))
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    except OSError:
        return False
    return True


def close_silently(sock: Any) -> None:
    """Have the kernel send nothing when a socket is closed. Needs CAP_NET_ADMIN; without, it will be a RST."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)


def _tcp_state(sock: socket.socket) -> int | None:
    """The kernel's state of our side of the connection, None where it cannot be asked."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return int(struct.unpack("B", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1))[0])
    except OSError:
        return None
