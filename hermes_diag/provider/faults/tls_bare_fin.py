"""So many events, then a FIN without the TLS close_notify."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange

NEEDS_TLS = True


async def answer(exchange: Exchange, after: int = 3) -> None:
    exchange.start()
    exchange.send(*exchange.events()[:after])
    exchange.fin(notify=False)
