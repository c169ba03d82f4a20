"""The content-length is so many bytes more than the body, which a FIN ends."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange, missing: int = 20) -> None:
    exchange.miscounted(b"".join(exchange.events()), missing)
    exchange.fin()


def check(missing: int) -> None:
    if missing < 1:
        raise ValueError("missing is at least 1")
