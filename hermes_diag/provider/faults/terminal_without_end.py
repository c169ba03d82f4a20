"""All events, the terminal one too, but the stream is never ended."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange) -> None:
    exchange.start()
    exchange.send(*exchange.events())
    await exchange.silence()
