"""A turn over a WebSocket, after so many events: a frame that claims so many bytes and sends none of them."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange
from hermes_diag.provider.protocols import websocket


async def turn(exchange: Exchange, claimed: int = 1_000_000_000, after: int = 3) -> None:
    exchange.start()
    exchange.send(*exchange.events()[:after])
    exchange.raw(websocket.oversized(claimed))
    await exchange.silence()


def check(claimed: int, after: int) -> None:
    if claimed < 2**16:
        raise ValueError("claimed is at least 65536")
