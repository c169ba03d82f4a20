"""So many events, then one whose data is no JSON, then the rest."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange

BROKEN = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":\n\n'


async def answer(exchange: Exchange, after: int = 3) -> None:
    events = exchange.events()
    exchange.start()
    exchange.send(*events[:after], BROKEN, *events[after:])
    exchange.finish()
