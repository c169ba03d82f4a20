"""Pings on a WebSocket are not answered; turns are."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def upgrade(exchange: Exchange) -> None:
    exchange.accept().pongs = False
