"""No fault: the whole reply at once, the connection kept."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange) -> None:
    exchange.healthy()
