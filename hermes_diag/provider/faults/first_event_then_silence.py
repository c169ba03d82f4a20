"""So many events, then nothing more; the connection stays open."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange, after: int = 1) -> None:
    exchange.start()
    exchange.send(*exchange.events()[:after])
    await exchange.silence()
