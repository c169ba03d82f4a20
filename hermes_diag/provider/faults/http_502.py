"""502 with an HTML page, as a gateway in front of the provider sends it."""

from __future__ import annotations

from hermes_diag.provider.answers import refusals
from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange) -> None:
    exchange.whole(502, refusals.BAD_GATEWAY, "text/html")
