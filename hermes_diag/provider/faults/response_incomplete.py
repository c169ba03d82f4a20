"""The reply stops short: `response.incomplete`, or finish_reason `length`; `reason` may be content_filter.

An answer without a stream says the same in its body.
"""

from __future__ import annotations

from hermes_diag.provider.answers import endings
from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange, reason: str = "max_output_tokens") -> None:
    if not exchange.api:
        exchange.healthy()
    elif exchange.streamed:
        exchange.start()
        exchange.send(*endings.incomplete(exchange.events(), reason))
        exchange.finish()
    else:
        exchange.whole(200, endings.incomplete_body(exchange.document(), reason))


def check(reason: str) -> None:
    if reason not in endings.INCOMPLETE:
        raise ValueError(f"reason is one of {', '.join(endings.INCOMPLETE)}")
