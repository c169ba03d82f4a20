"""So many events, then a TLS close_notify and a FIN."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange

NEEDS_TLS = True
REFERENCE = "#91286"


async def answer(exchange: Exchange, after: int = 3) -> None:
    exchange.start()
    exchange.send(*exchange.events()[:after])
    exchange.fin()
