"""The verbs with which an exchange sends nothing, and waits: for a time, for the client, for a slow link."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hermes_diag.provider.answers.due import Beside, Due, Take, Understood
from hermes_diag.provider.transport.connection import Connection
from hermes_diag.provider.transport.link import AHEAD

if TYPE_CHECKING:
    from hermes_diag.provider.protocols.stream import Stream


class Gone(Exception):
    """The connection is closed, by the client or by the fault itself: the fault that is answering ends here."""


class Waits(Due):
    """A request, what is due to it, and what its answer may wait for. stream: that of HTTP/2 on which it came."""

    def __init__(
        self, understood: Understood, take: Take, beside: Beside, connection: Connection, stream: Stream | None
    ) -> None:
        super().__init__(understood, take, beside)
        self.connection = connection
        self.stream = stream
        self.held = False  # silent on purpose; whoever waits for the provider to settle need not wait for it
        self.stalling = False  # held, but for a limited time
        self._released = asyncio.Event()
        self._let_out = asyncio.Event()

    async def drained(self) -> None:
        """Wait until the client has taken most of what was sent."""
        await self.connection.drained()
        if self.connection.gone:
            raise Gone
        await self._until_withheld(AHEAD)

    async def all_sent(self) -> None:
        """Wait until all of the answer is out: the client's flow-control window, which only HTTP/2 has, and a slow
        link may hold it back. As for a stall, nobody need wait for it."""
        if self.withheld:
            self.held = True
            await self._until_withheld(0)
            self.held = False
        if self.connection.pending:
            self.held = self.stalling = True
            await self.connection.all_sent()
            self.held = self.stalling = False

    @property
    def withheld(self) -> int:
        """Bytes of the answer that the client's flow-control window does not let out."""
        return 0 if self.stream is None else self.stream.pending

    async def _until_withheld(self, most: int) -> None:
        while self.withheld > most:
            self._let_out.clear()
            await self._let_out.wait()

    def let_out(self) -> None:
        """The client's flow-control window has let something out."""
        self._let_out.set()

    async def stall(self, seconds: float) -> None:
        """Send nothing for so many seconds."""
        self.held = self.stalling = True
        await asyncio.sleep(seconds)
        self.held = self.stalling = False

    async def hold(self) -> None:
        """Send nothing until `Provider.release` is called."""
        self.held = True
        self._released.clear()
        await self._released.wait()
        self.held = False

    def release(self) -> None:
        """End a `hold`."""
        self._released.set()

    async def silence(self) -> None:
        """Send nothing more; ends only when the client leaves or the provider stops."""
        self.held = True
        await asyncio.get_running_loop().create_future()
