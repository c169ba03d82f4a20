"""Headers at once, the first event only after so many seconds."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange

REFERENCE = "#13834"


async def answer(exchange: Exchange, seconds: float = 3600.0) -> None:
    exchange.start()
    await exchange.stall(seconds)
    exchange.send(*exchange.events())
    exchange.finish()
