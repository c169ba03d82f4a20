"""So many bytes a second, status line and headers too: bytes drip, so that no read timeout fires."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


def shape(exchange: Exchange, rate: int = 100) -> None:
    exchange.connection.throttle(rate)


def check(rate: int) -> None:
    if rate < 1:
        raise ValueError("rate is at least 1 byte a second")
