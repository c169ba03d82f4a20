"""HTTP/2: before the reply, SETTINGS that allow so few streams at a time and so few bytes of a body ahead."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange

NEEDS_TLS = True
NEEDS_HTTP2 = True


async def answer(exchange: Exchange, streams: int = 1, window: int = 16) -> None:
    assert exchange.stream is not None  # NEEDS_HTTP2
    exchange.raw(exchange.stream.session.shrink(streams, window))
    exchange.healthy()
