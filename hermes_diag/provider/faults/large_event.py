"""One event in the middle of the stream has so many megabytes."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange

STREAMS_ONLY = True


async def answer(exchange: Exchange, megabytes: int = 8) -> None:
    first, *rest = exchange.events()
    exchange.start()
    exchange.send(first, exchange.delta("x" * (megabytes * 2**20)))
    await exchange.drained()
    exchange.send(*rest)
    exchange.finish()


def check(megabytes: int) -> None:
    if megabytes > 1024:
        raise ValueError("megabytes is at most 1024")
