"""The stream is ended properly before its terminal event; without a stream the JSON before its last part."""

from __future__ import annotations

from hermes_diag.provider.answers import replies
from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange) -> None:
    exchange.start()
    exchange.send(*(replies.without_end(exchange.events()) if exchange.streamed else exchange.events()[:-1]))
    exchange.finish()
