"""Bytes in and out of one socket: reading and writing that pause when it is enough, and a slow link on the way out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hermes_diag.provider.transport import tcp
from hermes_diag.provider.transport.pace import Pace

#: Bytes that a peer may send ahead of the answer it waits for.
AHEAD = 64 * 1024
#: Seconds between two checks of a peer that sent more than that: while nothing is read from it, asyncio does
#: not notice that it has closed.
_CHECK_AGAIN = 1.0


class Link(asyncio.Protocol):
    """One socket, without any notion of what is said on it."""

    def __init__(self) -> None:
        self.serial = 0
        self.gone = False
        self.bytes_in = self.bytes_out = 0
        self._ahead = 0
        self._paused: asyncio.TimerHandle | None = None  # set while nothing is read
        self._writable: asyncio.Event | None = None  # set up by the first pause
        self._stops = 0  # reasons to write no more for now: the kernel's buffer is full, the slow link's is
        self._pace: Pace | None = None  # a slow link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._socket: Any = transport.get_extra_info("socket")
        self.peer: tuple[str, int] = (transport.get_extra_info("peername") or ("", 0))[:2]

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._forget_pending()
        if self._paused is not None:
            self._paused.cancel()
        self._stops = 0
        if self._writable is not None:
            self._writable.set()

    # --- writing ---------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        self._stops += 1
        if self._writable is None:
            self._writable = asyncio.Event()
        self._writable.clear()

    def resume_writing(self) -> None:
        self._stops -= 1
        if self._writable is not None and self._stops <= 0:
            self._writable.set()

    @property
    def clogged(self) -> bool:
        """The client has not taken most of what was sent."""
        return self._writable is not None and not self._writable.is_set()

    async def drained(self) -> None:
        """Return once the peer has taken most of what was sent, or is gone."""
        if self._writable is not None:
            await self._writable.wait()

    def _send(self, data: bytes) -> None:
        if self._pace is not None:
            self._pace.put(data)
        else:
            self._send_now(data)

    def _send_now(self, data: bytes) -> None:
        self._transport.write(data)
        self.bytes_out += len(data)

    # --- reading ---------------------------------------------------------------------------------

    def count_ahead(self, size: int) -> None:
        """Read no further from a peer that sends much more than it has got answers for."""
        self._ahead += size
        if self._ahead > AHEAD:
            self.read_no_further()

    def read_no_further(self) -> None:
        """Read nothing more until `read_on`."""
        if self._paused is None and not self._transport.is_closing():
            self._transport.pause_reading()
            self._paused = asyncio.get_running_loop().call_later(_CHECK_AGAIN, self._check_again)

    def _check_again(self) -> None:
        """Read on from a peer that has closed, so that asyncio notices."""
        if tcp.state(self._socket) in (None, tcp.ESTABLISHED):
            self._paused = asyncio.get_running_loop().call_later(_CHECK_AGAIN, self._check_again)
        else:
            self.read_on()

    def read_on(self) -> None:
        """The peer has got its answers: read what it sends next."""
        self._ahead = 0
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None
            self._transport.resume_reading()

    # --- a slow link -----------------------------------------------------------------------------

    def throttle(self, rate: int) -> None:
        """Send no more than so many bytes a second from now on."""
        self._slow().throttle(rate)

    def delay(self, latency: float, jitter: float) -> None:
        """Send each piece so many seconds late from now on, by chance up to `jitter` more or less."""
        self._slow().delay(latency, jitter)

    def _slow(self) -> Pace:
        if self._pace is None:
            self._pace = Pace(self._send_now, self.pause_writing, self.resume_writing, self.serial)
        return self._pace

    @property
    def slow(self) -> bool:
        """Bytes may leave later than they are written."""
        return self._pace is not None

    @property
    def throttled(self) -> bool:
        """Bytes are held back by a link of so many bytes a second: nobody can say for how long."""
        return self._pace is not None and self._pace.throttled and self._pace.pending

    @property
    def pending(self) -> bool:
        """Bytes are held back by a slow link."""
        return self._pace is not None and self._pace.pending

    def once_sent(self, act: Callable[[], None]) -> None:
        """Act once the slow link has let out what it holds back; at once where it holds back nothing."""
        if self._pace is not None and self._pace.pending:
            self._pace.then(act)
        else:
            act()

    async def all_sent(self) -> None:
        """Return once the slow link has let out what it holds back. Cancelled when the connection is lost."""
        sent = asyncio.Event()
        self.once_sent(sent.set)
        await sent.wait()

    def at_full_speed(self) -> None:
        """The slow link is over, as soon as nothing is pending: the next request may meet other faults."""
        if not self.pending:
            self._pace = None

    def _forget_pending(self) -> None:
        if self._pace is not None:
            self._pace.drop()
