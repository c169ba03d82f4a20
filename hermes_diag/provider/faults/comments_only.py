"""SSE comments (pings) every so many seconds and never an event: bytes flow, the stream stands still."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange

PING = b": ping\n\n"


async def answer(exchange: Exchange, seconds: float = 0.5) -> None:
    exchange.start()
    while True:
        exchange.body(PING)
        exchange.held = True
        await exchange.stall(max(seconds, 0.001))
        await exchange.drained()
