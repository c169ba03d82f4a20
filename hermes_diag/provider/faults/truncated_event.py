"""So many events and half of the next one in a proper chunk, then a FIN."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange, after: int = 3) -> None:
    events = exchange.events()
    torn = events[min(after, len(events) - 1)]
    exchange.start()
    exchange.send(*events[:after])
    exchange.body(torn[: len(torn) // 2])
    exchange.fin()
