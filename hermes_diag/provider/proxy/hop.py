"""A client's connection to the proxy, and what a fault of the proxy can do to it.

client -- Hop -- Side -- provider
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from hermes_diag.provider.ledger import Ledger
from hermes_diag.provider.protocols.http1 import render_head
from hermes_diag.provider.protocols.proxy_head import Asked, HeadReader, Refused
from hermes_diag.provider.proxy.tunnel import Side

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
#: Seconds within which a client must have sent its head.
HEAD_PATIENCE = 10.0
#: Seconds within which the provider must have accepted.
CONNECT_PATIENCE = 30.0


class Front(Protocol):
    """What a hop needs of its proxy; see `proxy.Proxy`."""

    ledger: Ledger

    def admit(self, hop: Hop) -> None: ...
    def part_with(self, hop: Hop) -> None: ...
    def check(self, asked: Asked) -> None: ...
    def misbehave(self, hop: Hop) -> None: ...
    async def reach_provider(self) -> Side: ...


class Hop(Side):
    """One connection to the proxy: a head is read, then a tunnel opened, in every fault's way.

    refuse             answer with a status in the place of a tunnel
    stall              wait before the provider is connected to
    once_open          do something as soon as the tunnel is open, such as fin, reset, or ends_in
    cut_at             do something once so many bytes of the provider have gone to the client
    answer_hello       send this for the client's first bytes in the tunnel, then a FIN
    slow_down          slow both connections down
    """

    def __init__(self, proxy: Front) -> None:
        super().__init__(proxy.ledger)
        self.tunnel = False  # asked for by CONNECT; else it is a request in plain text
        self.fault = "healthy"
        self._proxy = proxy
        self._head = HeadReader()
        self._asked = False
        self._early: list[bytes] = []  # for the provider, which is not connected yet
        self._opening: asyncio.Task[None] | None = None
        self._stall = 0.0
        self._once_open: list[Callable[[], None]] = []
        self._slow_down: list[Callable[[Side], None]] = []
        self._hello: bytes | None = None
        self._left: int | None = None  # bytes that may still go to the client
        self._cut: Callable[[], None] = self.fin

    # --- verbs -----------------------------------------------------------------------------------

    def refuse(self, status: int, why: str, *headers: tuple[str, str]) -> None:
        """Answer with a status and one line, and close."""
        if self.gone or self.closing:
            return
        body = f"hermes-diag proxy: {why}\n".encode()
        own = (("content-type", "text/plain"), ("content-length", str(len(body))), *headers)
        super().write(render_head(status, own, False, True) + body)
        self.say("refused", status=status, fault=self.fault)
        self.linger()

    def stall(self, seconds: float) -> None:
        self._stall = max(self._stall, seconds)

    def once_open(self, act: Callable[[], None]) -> None:
        self._once_open.append(act)

    def cut_at(self, size: int, act: Callable[[], None]) -> None:
        self._left, self._cut = size, act

    def answer_hello(self, data: bytes) -> None:
        self._hello = data

    def slow_down(self, act: Callable[[Side], None]) -> None:
        self._slow_down.append(act)

    # --- asyncio ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._proxy.admit(self)
        self.after(HEAD_PATIENCE, lambda: self.refuse(408, "the head of the request did not come in time"))

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self._hello is None:
            super().data_received(data)
            return
        data = self.decrypted(data)
        if data and self.other is not None and self._hello is not None:
            super().write(self._hello)
            self.fin()
        elif data and self._asked:
            self._early.append(data)
            self.count_ahead(len(data))
        elif data:
            self._read(data)

    def _read(self, data: bytes) -> None:
        """Take bytes of the head, and begin to open the tunnel once it is whole."""
        try:
            asked = self._head.feed(data)
            if asked is None:
                return
            self._proxy.check(asked)
        except Refused as refused:
            self.refuse(refused.status, refused.why)
            return
        self.stop_timers()
        self._asked, self.tunnel = True, asked.tunnel
        self._early.append(asked.ahead)
        self._proxy.misbehave(self)
        if not self.closing:
            self._opening = asyncio.get_running_loop().create_task(self._open())

    def connection_lost(self, exc: Exception | None) -> None:
        if self._opening is not None:
            self._opening.cancel()
        super().connection_lost(exc)
        self._proxy.part_with(self)
        self.say("closed", closed_first=self.closed_first, how=self._how)

    # --- the tunnel ------------------------------------------------------------------------------

    async def _open(self) -> None:
        try:
            await asyncio.sleep(self._stall)
            self._stall = 0.0
            async with asyncio.timeout(CONNECT_PATIENCE):
                far = await self._proxy.reach_provider()
        except (OSError, TimeoutError):
            self.refuse(504, "the provider accepts no connection")
            return
        finally:
            self._opening = None
        self.join(far)
        for act in self._slow_down:
            act(self)
            act(far)
        self.say("opened", fault=self.fault)
        if self.tunnel:
            super().write(ESTABLISHED)
        for then in self._once_open:
            then()
        for data in self._early:
            far.write(data)
        self._early.clear()
        self.read_on()
        if self.eof:
            far.once_sent(far.end_too)

    def write(self, data: bytes) -> bool:
        """Send bytes of the provider to the client: as many as may still go through."""
        if self._left is None:
            return super().write(data)
        data = data[: self._left]
        self._left -= len(data)
        sent = super().write(data)
        if not self._left and not self.closing:
            self.once_sent(self._cut)
        return sent

    # --- what is known of it ---------------------------------------------------------------------

    def blame(self, who: str, how: str) -> None:
        super().blame("proxy" if who == "provider" else who, how)

    def say(self, what: str, **details: Any) -> None:
        super().say(f"proxy {what}", **details)

    @property
    def cut_off(self) -> bool:
        """Whether as many bytes have gone to the client as may: see `cut_at`."""
        return self._left == 0

    @property
    def settled(self) -> bool:
        if self._opening is not None:
            return self._stall > 0
        return super().settled and (self.other is None or self.other.settled)
