"""So many events, then `response.failed` with that code; of a rate limit it says "try again in 1.5s".

A chat stream gets an error chunk, and an answer without a stream the error as its status and body. Codes:
server_error, rate_limit_exceeded, insufficient_quota, context_length_exceeded, server_is_overloaded. Codex waits as
long as a rate limit says.
"""

from __future__ import annotations

from hermes_diag.provider.answers import endings
from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange, code: str = "server_error", after: int = 3, seconds: float = 1.5) -> None:
    status, message = endings.failure(code, exchange.model, seconds)
    if not exchange.streamed:
        exchange.whole(status, endings.failure_body(code, message))
        return
    healthy = exchange.events()
    sent = healthy[: min(after, len(healthy) - 1)]
    exchange.start()
    exchange.send(*sent, endings.failed(exchange.api, healthy, len(sent), code, message))
    exchange.finish()


def check(code: str, after: int, seconds: float) -> None:
    if code not in endings.FAILURES:
        raise ValueError(f"code is one of {', '.join(endings.FAILURES)}")
