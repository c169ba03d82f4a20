"""404: a model or a path that is not there."""

from __future__ import annotations

from hermes_diag.provider.answers import refusals
from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange) -> None:
    exchange.whole(404, refusals.body(404))
