"""HTTP/2: so many events, then a GOAWAY; `last` is this (the rest follows) or before (a FIN follows).

With `last=this` the connection is closed when the stream has ended. With `last=before` a client may send the request
again on another connection: the GOAWAY says that it was not looked at.
"""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange

NEEDS_TLS = True
NEEDS_HTTP2 = True
LAST = ("this", "before")


async def answer(exchange: Exchange, after: int = 3, last: str = "this") -> None:
    stream = exchange.stream
    assert stream is not None  # NEEDS_HTTP2
    events = exchange.events()
    if after or last == "this":
        exchange.start()
        exchange.send(*events[:after])
    if last == "before":
        exchange.raw(stream.session.goaway(including=max(0, stream.number - 2)))
        exchange.fin()
    exchange.raw(stream.session.goaway(including=stream.number))
    stream.closes = True
    await exchange.stall(0)  # so that the GOAWAY is not in one packet with the rest
    exchange.send(*events[after:])
    exchange.finish()


def check(after: int, last: str) -> None:
    if last not in LAST:
        raise ValueError(f"last is one of {', '.join(LAST)}")
