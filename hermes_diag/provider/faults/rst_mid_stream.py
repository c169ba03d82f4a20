"""So many events, then a RST in the middle of the stream."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange, after: int = 3) -> None:
    exchange.start()
    exchange.send(*exchange.events()[:after])
    await exchange.drained()
    exchange.reset()
