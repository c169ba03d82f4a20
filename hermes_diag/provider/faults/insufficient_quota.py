"""429: the account has no credit left, which no retry mends; without a Retry-After."""

from __future__ import annotations

from hermes_diag.provider.answers import endings
from hermes_diag.provider.exchange import Exchange

CODE = "insufficient_quota"


async def answer(exchange: Exchange) -> None:
    exchange.code = CODE
    status, message = endings.failure(CODE, exchange.model, 0)
    exchange.whole(status, endings.failure_body(CODE, message))
