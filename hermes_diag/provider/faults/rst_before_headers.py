"""The request is read, then the connection is reset without a byte of an answer."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange) -> None:
    exchange.reset()
