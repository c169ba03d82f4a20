"""SSE comments (pings) every so many seconds and never an event: bytes flow, the stream stands still.

Without a stream they are blank lines, which DeepSeek sends while a request waits: JSON may begin with them.
"""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange

PING = b": ping\n\n"
BLANK = b"\n"


async def answer(exchange: Exchange, seconds: float = 0.5) -> None:
    exchange.start()
    while True:
        exchange.body(PING if exchange.streamed else BLANK)
        exchange.held = True
        await exchange.stall(max(seconds, 0.001))
        await exchange.drained()
