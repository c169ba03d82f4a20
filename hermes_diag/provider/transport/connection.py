"""One accepted connection below HTTP: bytes in and out, TLS, and every way in which it can end.

What a fault does to a connection is a method of this class. What is said on it is in `conversations`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from hermes_diag.core.evidence import Connection as Seen
from hermes_diag.core.evidence import Happened
from hermes_diag.provider.ledger import Ledger
from hermes_diag.provider.transport import tcp
from hermes_diag.provider.transport.link import Link
from hermes_diag.provider.transport.tls import VALID, Refused, Tls

#: Seconds for which the rest of what is still being sent to us is read and dropped.
LINGER = 2.0


class Connection(Link):
    """What the client does to one socket, and the provider to it.

    no_longer_counts: called once, when the connection is gone for the limit of connections: closed or vanished.
    """

    def __init__(self, ledger: Ledger, no_longer_counts: Callable[[], None]) -> None:
        super().__init__()
        self.ledger = ledger
        self._no_longer_counts = no_longer_counts
        self.opened = time.monotonic()
        self.left_open = False  # the provider ends before anybody has closed it
        self.certificate = VALID
        self.window: int | None = None  # HTTP/2: bytes of a body that the client may send; None: any number
        self.deaf = False  # HTTP/2: no PING is answered
        self.http2 = False  # it speaks it
        self.ended = False  # what `ends_in` was to do is done
        self.requests = 0
        self.closing = False
        self.vanished = False
        self.half_closed = False  # by the provider, which still reads
        self.eof = False  # the client has closed its half; it may still be owed an answer
        self.busy = False  # a request is arriving or being answered
        self.closed_first = ""
        self._how = ""
        self._tls: Tls | None = None
        self._reset_on_hello = False
        self._timers: list[asyncio.TimerHandle] = []
        self._end: asyncio.TimerHandle | None = None  # of the connection, whatever is under way

    # --- asyncio ---------------------------------------------------------------------------------

    def decrypted(self, data: bytes) -> bytes:
        """Bytes from the socket as the client meant them; b"" when there is nothing to act on."""
        self.bytes_in += len(data)
        if self.closing or self.vanished or self.half_closed:
            return b""
        if self._reset_on_hello:
            self.reset()
            return b""
        if self._tls is None:
            return data
        try:
            plain, answer = self._tls.feed(data)
        except Refused as exc:
            self.say("TLS refused", how=str(exc))
            self._send(self._tls.pending())
            self.fin(notify=False)
            return b""
        if answer:
            self._send(answer)
        if self._tls.ended:
            asyncio.get_running_loop().call_soon(self._tls_ended)
        return plain

    def _tls_ended(self) -> None:
        """The client has sent its close_notify, which says as much as a FIN."""
        if not self.eof and not self._transport.is_closing() and not self.eof_received():
            self.fin()

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, ConnectionError):
            self.blame("client", "reset")
        self.stop_timers()
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(exc)
        if not self.vanished:
            self._no_longer_counts()

    # --- state -----------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Nothing is being answered and neither side has closed."""
        return not (self.busy or self.closing or self.closed_first or self.vanished)

    @property
    def awaits_timer(self) -> bool:
        """A fault will act on this connection if it stays idle."""
        return self.idle and bool(self._timers)

    @property
    def settled(self) -> bool:
        """Nothing of this connection is under way: no close, and no FIN of the client that asyncio has not read."""
        if self._transport.is_closing() or (self.closing and self.pending and not self.throttled):
            return False  # connection_lost is still to come
        resting = (tcp.FIN_WAIT1, tcp.FIN_WAIT2) if self.half_closed else (tcp.ESTABLISHED,)
        return self.vanished or tcp.state(self._socket) in (None, *resting)

    def summary(self) -> Seen:
        """The connection as evidence; it is over now."""
        begun, now = self.ledger.begun, time.monotonic()
        return Seen(
            self.serial, self.requests, self.bytes_in, self.bytes_out, self.closed_first, self._how, self.peer[1],
            round(self.opened - begun, 4), None if self.left_open else round(now - begun, 4),
        )  # fmt: skip

    def say(self, what: str, **details: Any) -> None:
        """Tell the observer what happened on this connection."""
        if self.ledger.observer is not None:
            counts = self.serial, what, self.requests, self.bytes_in, self.bytes_out
            self.ledger.observer(Happened(time.time(), *counts, **details))

    # --- timers ----------------------------------------------------------------------------------

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Act in so many seconds, unless the timers are stopped before."""

        def acts() -> None:
            self._timers.remove(timer)  # it is awaited no more
            act()

        timer = asyncio.get_running_loop().call_later(seconds, acts)
        self._timers.append(timer)

    def stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def ends_in(self, seconds: float, act: Callable[[], None]) -> None:
        """Act in so many seconds, whatever is under way then, unless the connection is gone before."""

        def end() -> None:
            self.ended = True
            act()

        self._end = asyncio.get_running_loop().call_later(seconds, end)

    # --- what can be done to it ------------------------------------------------------------------

    def secure(self, tls: Tls) -> None:
        """Speak TLS on this connection, from its first byte on."""
        self._tls = tls

    def reset_on_hello(self) -> None:
        """Answer the first byte of the TLS handshake with a RST."""
        self._reset_on_hello = True

    @property
    def plain(self) -> bool:
        """What is written leaves at once, and without TLS."""
        return self._tls is None and not self.slow

    @property
    def writable(self) -> bool:
        """Neither the connection nor our half of it is closed."""
        return not (self.half_closed or self.vanished or self.closing or self._transport.is_closing())

    def write(self, data: bytes) -> bool:
        """Send bytes; False when the connection is gone, or our half of it."""
        if not self.writable:
            return False
        self._send(self._tls.encrypt(data) if self._tls is not None and data else data)
        return True

    def fin(self, notify: bool = True) -> None:
        """Close as a server closes an idle connection; on TLS with a close_notify unless told otherwise."""
        if self._tls is not None and notify and not self.half_closed and not self._transport.is_closing():
            self._send(self._tls.close_notify())
        self.ends("fin")
        self.once_sent(self._close)

    def cut(self) -> None:
        """Close with a FIN now: without a close_notify, and without what a slow link still holds back."""
        self._forget_pending()
        self.fin(notify=False)

    def _close(self) -> None:
        self.ledger.was_sent_fin(self.peer)
        self._transport.close()

    def close_websocket(self, code: int) -> bool:
        """Close a WebSocket with a close frame and a FIN; a connection that is none stays as it is: False."""
        return False

    def half_close(self) -> None:
        """Close our half with a FIN and keep reading."""
        self.blame("provider", "half-close")
        self.stop_timers()
        self._close_our_half()

    def linger(self, seconds: float = LINGER) -> None:
        """Close our half, drop what still arrives for so many seconds, then drop the connection.

        A close with bytes unread is a RST, and a client that is still sending would then never read the answer.
        """
        if self.half_closed or self._transport.is_closing():
            return
        self.ends("fin")
        self._close_our_half()
        self.after(seconds, self._transport.abort)

    def _close_our_half(self) -> None:
        if self._tls is not None:
            self._send(self._tls.close_notify())
        self.half_closed = True
        self.once_sent(self._send_fin_and_read_on)

    def _send_fin_and_read_on(self) -> None:
        self.ledger.was_sent_fin(self.peer)
        self._transport.write_eof()

    def retire(self) -> bool:
        """Say that nothing more is answered, and stay open. Only HTTP/2 can say so; False where it is not spoken."""
        return False

    def reset(self) -> None:
        """Close with a RST."""
        self.ends("reset")
        self._forget_pending()
        tcp.reset_on_close(self._socket)
        self.ledger.was_sent_fin(self.peer)
        self._transport.abort()

    def vanish(self, seconds: float) -> None:
        """Drop the connection without a packet; whatever the client still sends is not answered, for so long.

        The kernel ignores every segment of it (a socket filter that takes nothing). Where that is not
        allowed, the connection accepts and never answers; `Provider.vanish_is_real` tells which.
        """
        self.vanished = True
        self.blame("provider", "vanish")
        self.stop_timers()
        if self._end is not None:
            self._end.cancel()
        self._forget_pending()
        self._no_longer_counts()
        real = self.ledger.vanish_is_real = tcp.drop_everything(self._socket)
        self.say("vanished" if real else "vanished (no filter allowed: accepts, never answers)")
        self.after(seconds, self.give_up_vanished)

    def give_up_vanished(self) -> None:
        """Close a vanished connection. It cannot be noticed when the client has closed, so time decides."""
        tcp.close_silently(self._socket)
        self.abort()

    def abort(self) -> None:
        """Drop the connection, whatever is under way."""
        if self.vanished:
            tcp.reset_on_close(self._socket)  # a FIN would wait for an ACK that the filter drops
        self.ends("fin")
        self._transport.abort()

    def ends(self, how: str) -> None:
        """The provider closes this connection; `how` is fin or reset."""
        self.blame("provider", how)
        self.closing = True
        self.stop_timers()

    def blame(self, who: str, how: str) -> None:
        """Note who closed first ("client" or "provider"), and how; later closes change nothing."""
        if not self.closed_first:
            self.closed_first, self._how = who, how
