"""The upgrade to a WebSocket is refused with a status; at 426 Codex goes on over HTTP at once.

Other statuses cost it time first, and 400 fails its turn.
"""

from __future__ import annotations

from hermes_diag.provider.answers import replies
from hermes_diag.provider.answers.refusals import INVALID
from hermes_diag.provider.exchange import Exchange
from hermes_diag.provider.protocols.http1 import reason


async def upgrade(exchange: Exchange, status: int = 426) -> None:
    kind = "server_error" if status >= 500 else INVALID
    exchange.whole(status, replies.error(f"The upgrade is refused: {reason(status)}.", kind))


def check(status: int) -> None:
    if not 400 <= status <= 599:
        raise ValueError("status is from 400 to 599")
