"""A healthy stream with so many seconds before each event."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange, seconds: float = 1.0) -> None:
    exchange.start()
    for event in exchange.events():
        await exchange.stall(seconds)
        exchange.send(event)
    exchange.finish()
