"""A stream of so many events, all of them valid; no fewer than the reply has."""

from __future__ import annotations

from hermes_diag.provider.answers import replies
from hermes_diag.provider.exchange import Exchange

STREAMS_ONLY = True

#: Events of the built-in reply.
LEAST = len(replies.stream("responses", ""))
#: Events in one write; between writes the client may take them.
BATCH = 256


async def answer(exchange: Exchange, events: int = 100_000) -> None:
    *opening, last = exchange.events()
    delta = exchange.delta("tick ")
    left = max(0, events - len(opening) - 1)
    exchange.start()
    exchange.send(*opening)
    while left:
        batch = min(BATCH, left)
        exchange.send(*(delta,) * batch)
        left -= batch
        await exchange.drained()
        await exchange.stall(0)  # a client that reads as fast as we write must not starve the others
    exchange.send(last)
    exchange.finish()


def check(events: int) -> None:
    if events < LEAST:
        raise ValueError(f"events is at least {LEAST}, those of the built-in reply")
