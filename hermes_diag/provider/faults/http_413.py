"""413: a body over the limit."""

from __future__ import annotations

from hermes_diag.provider.answers import refusals
from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange) -> None:
    exchange.whole(413, refusals.body(413))
