"""Keep-alive is refused: each response says `Connection: close` and is followed by a FIN."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


def shape(exchange: Exchange) -> None:
    exchange.last = True
