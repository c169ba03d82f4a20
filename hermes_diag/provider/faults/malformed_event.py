"""So many events, then one whose data is no JSON, then the rest; without a stream half of the JSON."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange, after: int = 3) -> None:
    events = exchange.events()
    if not exchange.streamed:
        exchange.whole(200, b"".join(events[: len(events) // 2]))
        return
    exchange.start()
    broken = exchange.opened().removesuffix(b'"') + b"\n\n"  # "delta": and no value
    exchange.send(*events[:after], broken, *events[after:])
    exchange.finish()
