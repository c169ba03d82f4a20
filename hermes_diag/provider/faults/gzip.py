"""The body is gzipped, whether the client accepts that or not, and flushed at each send."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


def shape(exchange: Exchange) -> None:
    exchange.compress()
