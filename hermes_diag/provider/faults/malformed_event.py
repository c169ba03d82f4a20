"""So many events, then one whose data is no JSON, then the rest."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange, after: int = 3) -> None:
    events = exchange.events()
    exchange.start()
    broken = exchange.opened().removesuffix(b'"') + b"\n\n"  # "delta": and no value
    exchange.send(*events[:after], broken, *events[after:])
    exchange.finish()
