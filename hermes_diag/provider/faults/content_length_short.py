"""The content-length is so many bytes less than the body: the rest looks like the next response."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange, missing: int = 20) -> None:
    exchange.miscounted(b"".join(exchange.events()), -missing)
    exchange.finish()
