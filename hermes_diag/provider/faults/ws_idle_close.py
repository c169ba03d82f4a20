"""A WebSocket that has been idle for so many seconds is closed with a close frame and a FIN.

A connection that is no WebSocket is left alone.
"""

from __future__ import annotations

from hermes_diag.provider.protocols import websocket
from hermes_diag.provider.transport.connection import Connection


def idle(connection: Connection, seconds: float = 5.0, code: int = websocket.GOING_AWAY) -> bool:
    return connection.close_websocket(code)


def check(seconds: float, code: int) -> None:
    websocket.check_code(code)
