"""So many events, then a chunk whose size is no number, then a FIN."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange, after: int = 3) -> None:
    exchange.start()
    exchange.send(*exchange.events()[:after])
    exchange.raw(b"xyz\r\nno chunk\r\n")
    exchange.fin()
