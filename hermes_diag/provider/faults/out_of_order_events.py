"""Neighbouring events change places; the terminal one stays last."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange

STREAMS_ONLY = True


async def answer(exchange: Exchange) -> None:
    *events, last = exchange.events()
    for place in range(0, len(events) - 1, 2):
        events[place], events[place + 1] = events[place + 1], events[place]
    exchange.start()
    exchange.send(*events, last)
    exchange.finish()
