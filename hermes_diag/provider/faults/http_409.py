"""409: a conflict with another request."""

from __future__ import annotations

from hermes_diag.provider.answers import refusals
from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange) -> None:
    exchange.whole(409, refusals.body(409))
