"""So many events, then one that ends inside a UTF-8 character, then a FIN."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange

#: Two of the four bytes of a character.
TORN = "\N{GRINNING FACE}".encode()[:2]


async def answer(exchange: Exchange, after: int = 3) -> None:
    exchange.start()
    exchange.send(*exchange.events()[:after])
    exchange.body((exchange.opened() if exchange.streamed else b"") + TORN)
    exchange.fin()
