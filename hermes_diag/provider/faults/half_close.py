"""The whole reply, then a FIN of our half; the connection is kept and read on."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange) -> None:
    exchange.healthy()
    exchange.half_close()
