"""Each piece of the answer (headers, each event) leaves so much later, by chance `jitter` more or less."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


def shape(exchange: Exchange, seconds: float = 0.2, jitter: float = 0.0) -> None:
    exchange.connection.delay(seconds, jitter)


def check(seconds: float, jitter: float) -> None:
    if jitter > seconds:
        raise ValueError("jitter is at most the latency itself")
