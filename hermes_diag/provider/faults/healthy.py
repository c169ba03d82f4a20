"""No fault: the whole reply at once, the connection kept."""

from hermes_diag.provider import replies
from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange, argument: str = "") -> None:
    if exchange.streamed:
        exchange.start()
        exchange.send(*exchange.events())
        exchange.finish()
    else:
        exchange.whole(200, replies.whole(exchange.api, exchange.model))
