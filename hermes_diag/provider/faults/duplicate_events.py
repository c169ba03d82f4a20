"""Every event twice, with the same sequence number."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange

STREAMS_ONLY = True


async def answer(exchange: Exchange) -> None:
    exchange.start()
    exchange.send(*(event for event in exchange.events() for _ in range(2)))
    exchange.finish()
