"""The provider on a real socket: asyncio, 127.0.0.1, a port of its own."""

from __future__ import annotations

import asyncio
from typing import Any

from hermes_diag.provider.conversations.http1 import Conversation
from hermes_diag.provider.plans.active import ActiveFaults
from hermes_diag.provider.proxy.proxy import Proxy
from hermes_diag.provider.service import Service
from hermes_diag.provider.transport.listener import Listener

#: Seconds that the provider waits at a barrier for what it does there to show on both sides.
PATIENCE = 10.0


class Provider(Service):
    """Listens on 127.0.0.1 at a port the kernel chooses (or at `port`), until `stop`.

    host is loopback, or UsageError is raised. proxy: with a proxy in front of it (see `Proxy`), at a port of its
    own. spare: descriptors that its connections leave to others. The other parameters are those of Service.
    """

    def __init__(
        self,
        idle_close: float | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        spare: int = 0,
        proxy: bool = False,
        **options: Any,
    ) -> None:
        self.open: set[Conversation]  # type: ignore[assignment]  # no other kind of Connection is accepted here
        self.proxy = Proxy(self, host, spare) if proxy else None
        super().__init__(Listener(lambda: Conversation(self), host, port, spare), idle_close, proxied=proxy, **options)

    async def start(self) -> None:
        """Bind and listen. Raises OSError when the kernel gives no port, CannotMeasure when the port is taken."""
        await self.listener.start()
        if self.proxy is not None:
            await self.proxy.start()

    def use(self, faults: ActiveFaults) -> None:
        super().use(faults)
        if self.proxy is not None:
            self.proxy.give_up_vanished()

    @property
    def address(self) -> tuple[str, int]:
        """(127.0.0.1, port)"""
        return self.listener.address

    @property
    def base_url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.listener.authority}/v1"

    async def stop(self) -> None:
        """Stop listening and drop what is open; the ledger gets a record of each. A plan goes no further."""
        if self.schedule is not None:
            self.schedule.stop()
        if self.proxy is not None:
            await self.proxy.stop()
        await self.listener.stop()
        while self.open:
            answers = [answer for connection in self.open for answer in connection.answers]
            for connection in list(self.open):
                connection.left_open = True
                connection.abort()
            await asyncio.sleep(0)
            if answers:
                await asyncio.wait(answers)

    # --- what is ordered at a barrier ------------------------------------------------------------

    async def release(self) -> None:
        """Let every held exchange go on, and hold none that comes."""
        self.hold_next = False
        for connection in self.open:
            connection.release()

    async def hold(self) -> None:
        """Hold the stream of the next request that says nothing of faults: of code that sets no header of ours."""
        self.hold_next = True

    async def settle(self) -> None:
        """Return once no exchange is being answered (silent ones apart) and every FIN that has
        reached this side is dealt with. Raises TimeoutError after PATIENCE."""
        async with asyncio.timeout(PATIENCE):
            while not (all(connection.settled for connection in self.open) and self._proxy_settled):
                await asyncio.sleep(0.001)

    @property
    def _proxy_settled(self) -> bool:
        return self.proxy is None or self.proxy.settled

    async def close_idle(self) -> None:
        """Close every idle connection with a FIN if `idle_close` is 0; if it is longer, wait until its timers have
        closed them; if it is None, leave them open. Faults for idle connections act first. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE + self.faults.slowest_idle):
            while any(connection.awaits_timer for connection in self.open):
                await asyncio.sleep(0.001)
        if self.idle_close == 0:
            for connection in [connection for connection in self.open if connection.idle]:
                connection.fin()
        if self.idle_close is not None:
            async with asyncio.timeout(PATIENCE + self.idle_close):
                while any(connection.idle or connection.closing for connection in self.open):
                    await asyncio.sleep(0.001)
        if self.proxy is not None:
            await self.settle()  # what was closed must reach the client, too
