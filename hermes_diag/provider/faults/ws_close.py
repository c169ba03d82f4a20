"""A turn over a WebSocket is closed after so many events: 1006 is a FIN without a close frame.

Another code is sent in a close frame, which a FIN follows.
"""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange
from hermes_diag.provider.protocols import websocket


async def turn(exchange: Exchange, code: int = websocket.ABNORMAL, after: int = 3) -> None:
    exchange.start()
    exchange.send(*exchange.events()[:after])
    if code == websocket.ABNORMAL:
        exchange.fin()
    exchange.close(code)


def check(code: int, after: int) -> None:
    if code != websocket.ABNORMAL:
        websocket.check_code(code)
