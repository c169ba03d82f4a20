"""So many events, then an `error` event, then a proper end; without a stream a 500."""

from __future__ import annotations

from hermes_diag.provider.answers import refusals, replies
from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange, after: int = 3) -> None:
    if not exchange.streamed:
        exchange.whole(500, refusals.body(500))
        return
    sent = exchange.events()[:after]
    exchange.start()
    exchange.send(*sent, replies.error_event(exchange.api, len(sent)))
    exchange.finish()
