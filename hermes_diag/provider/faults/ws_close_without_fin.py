"""A turn over a WebSocket is closed after so many events with a close frame, and TCP stays open."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange
from hermes_diag.provider.protocols import websocket


async def turn(exchange: Exchange, code: int = websocket.NORMAL, after: int = 3) -> None:
    exchange.start()
    exchange.send(*exchange.events()[:after])
    exchange.close_frame(code)
    await exchange.silence()


def check(code: int, after: int) -> None:
    websocket.check_code(code)
