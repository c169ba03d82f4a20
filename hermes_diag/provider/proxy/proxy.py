"""A proxy in front of the provider, which fails on purpose as one between a client and the world does.

It listens on loopback, and leads to its provider and nowhere else. Bytes are passed on as they are: of what goes
through a tunnel it understands nothing, and of requests in plain text only the first head.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from hermes_diag.provider.ledger import Ledger
from hermes_diag.provider.protocols import visitors
from hermes_diag.provider.protocols.proxy_head import Asked, Refused
from hermes_diag.provider.proxy.hop import Hop
from hermes_diag.provider.proxy.tunnel import Side
from hermes_diag.provider.transport.listener import Listener

if TYPE_CHECKING:
    from hermes_diag.provider.service import Service


class Proxy:
    """Listens at a port the kernel chooses, from `start` to `stop`. connects: tunnels and requests asked for.

    spare: as for Provider.
    """

    def __init__(self, service: Service, host: str, spare: int = 0) -> None:
        self._service = service
        self.ledger: Ledger = service  # which clients were sent a FIN is known in one place
        self.connects = 0
        self.open: set[Hop] = set()
        self._listener = Listener(lambda: Hop(self), host, 0, spare)
        self._far = Ledger(keep=0)  # of the connections to the provider, which counts them itself
        self._serials = itertools.count(1)

    async def start(self) -> None:
        """Bind and listen. Raises OSError when the kernel gives no port."""
        await self._listener.start()

    async def stop(self) -> None:
        """Stop listening and drop what is open."""
        await self._listener.stop()
        while self.open:
            for hop in list(self.open):
                if hop.other is not None:
                    hop.other.abort()
                hop.abort()
            await asyncio.sleep(0)

    @property
    def address(self) -> tuple[str, int]:
        """(127.0.0.1, port)"""
        return self._listener.address

    @property
    def url(self) -> str:
        """As HTTPS_PROXY takes it."""
        return f"http://{self._listener.authority}"

    @property
    def settled(self) -> bool:
        return all(hop.settled for hop in self.open)

    def give_up_vanished(self) -> None:
        """Close what has vanished: the faults are changed."""
        for hop in [hop for hop in self.open if hop.vanished]:
            hop.give_up_vanished()

    # --- for a hop -------------------------------------------------------------------------------

    def admit(self, hop: Hop) -> None:
        hop.serial = next(self._serials)
        self.open.add(hop)
        self._service.closed.pop(hop.peer, None)  # the kernel may have given it the port of one that was closed

    def part_with(self, hop: Hop) -> None:
        self.open.discard(hop)
        self._service.faults.forget(hop, "tunnel")
        self._listener.gone()

    def check(self, asked: Asked) -> None:
        """Count what is asked for. Raises Refused when it is not our provider."""
        provider = self._service.listener
        if asked.port != provider.address[1] or not visitors.is_ours(asked.host):
            raise Refused(403, f"only the provider can be reached through this proxy, at {provider.authority}")
        self.connects += 1

    def misbehave(self, hop: Hop) -> None:
        """Let the faults act that apply to a tunnel about to be opened."""
        self._service.faults.for_tunnel(hop)

    async def reach_provider(self) -> Side:
        """A connection to the provider. Raises OSError."""
        loop = asyncio.get_running_loop()
        _, side = await loop.create_connection(lambda: Side(self._far), *self._service.listener.address)
        return side
