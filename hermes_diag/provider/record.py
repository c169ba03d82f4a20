"""What is remembered of one request: names and numbers of our own, and nothing of what was sent."""

from __future__ import annotations

import hashlib
import secrets
import time

from hermes_diag.core.evidence import Served
from hermes_diag.provider.exchange import Exchange
from hermes_diag.provider.protocols.request import Request
from hermes_diag.worker.contract import TURN_HEADER

#: The SDKs of OpenAI say here how often they have tried before.
RETRY_HEADER = "x-stainless-retry-count"
#: Of this process alone: without it, a digest says nothing of what was sent.
_SECRET = secrets.token_bytes(32)
_CREDENTIALS = ("authorization", "api-key", "x-api-key")


def of(exchange: Exchange, connection: int, begun: float, finished: bool) -> Served:
    """The record of an exchange that is over. begun: when the provider's clock began."""
    request = exchange.request
    retry = request.headers.get(RETRY_HEADER, "")
    return Served(
        request.headers.get(TURN_HEADER, ""),
        connection,
        exchange.status,
        exchange.events_sent,
        finished,
        exchange.api,
        at=round(exchange.came - begun, 4),
        over=round(time.monotonic() - begun, 4),
        wait=None if exchange.wait is None else round(exchange.wait, 3),
        code=exchange.code,
        retry=int(retry) if retry.isdecimal() and len(retry) < 5 else None,
        alike=_digest(request) if exchange.api else 0,
    )


def _digest(request: Request) -> int:
    """Equal for requests that ask the same with the same credentials."""
    digest = hashlib.blake2b(request.body, digest_size=4, key=_SECRET)
    for name in _CREDENTIALS:
        digest.update(b"\0" + request.headers.get(name, "").encode("latin-1"))
    return int.from_bytes(digest.digest(), "big") or 1
