"""The request is read, then the connection is dropped silently: no packet, and none is heard.

So it is behind a NAT that forgets a connection while the model thinks. As with idle-vanish a socket filter is
needed, and the connection is given up after `held` seconds.
"""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange

REFERENCE = "#10933"


async def answer(exchange: Exchange, held: float = 120.0) -> None:
    exchange.vanish(held)
