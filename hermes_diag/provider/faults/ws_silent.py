"""After the upgrade nothing is sent any more on the WebSocket: no event, no pong, no close frame."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def upgrade(exchange: Exchange) -> None:
    exchange.accept().silent = True
