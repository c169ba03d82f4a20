"""The request is read, then the connection is closed with a FIN and no byte of an answer."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange) -> None:
    exchange.fin()
