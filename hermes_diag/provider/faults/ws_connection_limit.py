"""A WebSocket ends after so many seconds (or turns): websocket_connection_limit_reached, a close frame, a FIN.

The real service does so after 60 minutes. A turn that is being answered then is answered first. `turns` of 0 is any
number.
"""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange


async def upgrade(exchange: Exchange, seconds: float = 3600.0, turns: int = 0) -> None:
    websocket = exchange.accept()
    websocket.lifetime, websocket.most_turns = seconds, turns
