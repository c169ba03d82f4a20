"""So many events, then an `error` event, then a proper end."""

from __future__ import annotations

from hermes_diag.provider import replies
from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange, after: int = 3) -> None:
    sent = exchange.events()[:after]
    exchange.start()
    exchange.send(*sent, replies.error_event(exchange.api, len(sent)))
    exchange.finish()
