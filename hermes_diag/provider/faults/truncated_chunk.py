"""So many events, then a chunk of which only the first half comes before the FIN."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange, after: int = 3) -> None:
    events = exchange.events()
    exchange.start()
    exchange.send(*events[:after])
    exchange.torn(events[min(after, len(events) - 1)])
    exchange.fin()
