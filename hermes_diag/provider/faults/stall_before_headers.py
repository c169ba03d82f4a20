"""No byte for so many seconds, then a healthy reply."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange

REFERENCE = "#13834"


async def answer(exchange: Exchange, seconds: float = 3600.0) -> None:
    await exchange.stall(seconds)
    exchange.healthy()
