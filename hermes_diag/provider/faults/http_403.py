"""403 with an HTML challenge page, as an edge in front of the provider sends it."""

from __future__ import annotations

from hermes_diag.provider.answers import refusals
from hermes_diag.provider.exchange import Exchange

REFERENCE = "#13834"


async def answer(exchange: Exchange) -> None:
    exchange.whole(403, refusals.CHALLENGE, "text/html; charset=UTF-8", (("cf-mitigated", "challenge"),))
