"""307 to the same path, which answers healthily when the client follows; `loop` redirects for ever."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange

MARK = "redirected"
HOW = ("once", "loop")


async def answer(exchange: Exchange, how: str = "once") -> None:
    if how == "once" and exchange.request.query == MARK:
        exchange.healthy()
        return
    exchange.whole(307, b"", headers=(("location", exchange.request.path + "?" + MARK),))


def check(how: str) -> None:
    if how not in HOW:
        raise ValueError(f"how is one of {', '.join(HOW)}")
