"""So many events, then a chunk of which only the first half comes before the FIN."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange
from hermes_diag.provider.wire import chunk


async def answer(exchange: Exchange, after: int = 3) -> None:
    events = exchange.events()
    torn = chunk(events[min(after, len(events) - 1)])
    exchange.start()
    exchange.send(*events[:after])
    exchange.raw(torn[: len(torn) // 2])
    exchange.fin()
