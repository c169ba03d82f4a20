"""The upgrade to a WebSocket is answered only after so many seconds."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def upgrade(exchange: Exchange, seconds: float = 3600.0) -> None:
    await exchange.stall(seconds)
    exchange.accept()
