"""The first event, then silence until the conductor lets go; then the rest. Used by `repro`."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange

REFERENCE = "#11070"


async def answer(exchange: Exchange) -> None:
    first, *rest = exchange.events()
    exchange.start()
    exchange.send(first)
    await exchange.hold()
    exchange.send(*rest)
    exchange.finish()
