"""429: too many requests; `retry_after` is none, a number of seconds, or `date` (30 s from now)."""

from __future__ import annotations

import time
from email.utils import formatdate

from hermes_diag.provider.answers import refusals
from hermes_diag.provider.exchange import Exchange

#: Seconds from now that a Retry-After as a date names.
AHEAD = 30


async def answer(exchange: Exchange, retry_after: str = "none") -> None:
    value = formatdate(time.time() + AHEAD, usegmt=True) if retry_after == "date" else retry_after
    headers = () if retry_after == "none" else (("retry-after", value),)
    exchange.whole(429, refusals.body(429), headers=headers)


def check(retry_after: str) -> None:
    if retry_after not in ("none", "date") and not (retry_after.isascii() and retry_after.isdigit()):
        raise ValueError("retry_after is none, a whole number of seconds, or date")
