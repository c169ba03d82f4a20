"""What a quota means for one request for a reply: the headers of its answer, and the 429 when it is refused."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime

from hermes_diag.provider.answers import replies, retry_after
from hermes_diag.provider.exchange import Exchange
from hermes_diag.provider.protocols.http1 import Headers
from hermes_diag.provider.quota import Bucket, Quota, Refusal
from hermes_diag.provider.routing.endpoints.asked import tokens

#: faults/rate_limit.py
NAME = "rate-limit"
#: What is counted of a request as its input.
_INPUT = ("input", "messages", "prompt", "instructions", "system", "tools")
_WORDS = {"requests": "requests per min (RPM)", "tokens": "tokens per min (TPM)"}
#: The code of a request that no wait makes fit; `judge` knows it, too.
TOO_LARGE = "request_too_large"


def refuses(quota: Quota, exchange: Exchange) -> bool:
    """Take a request out of the quota; True when it was refused, and has been answered."""
    asked = exchange.asked or {}
    now = time.monotonic()
    refusal = quota.take(tokens([asked[key] for key in _INPUT if key in asked]), now)
    exchange.also(_told(quota, exchange.api, now))
    if refusal is None:
        return False
    exchange.fault = NAME
    exchange.code = TOO_LARGE if refusal.seconds is None else "rate_limit_exceeded"
    body = replies.error(_message(refusal, exchange.model), refusal.kind, code="rate_limit_exceeded")
    wait = () if refusal.seconds is None else retry_after.headers(quota.retry_after, refusal.seconds, time.time())
    exchange.whole(429, replies.error_of(exchange.api, 429, body), headers=wait)
    return True


def _message(refusal: Refusal, model: str) -> str:
    of = f"for {model or 'the model'} in organization org-hermes-diag on {_WORDS[refusal.kind]}"
    if refusal.seconds is None:
        return (
            f"Request too large {of}: Limit {refusal.limit}, Requested {refusal.requested}. "
            "The input or output tokens must be reduced in order to run successfully."
        )
    return (
        f"Rate limit reached {of}: Limit {refusal.limit}, Used {refusal.used}, Requested {refusal.requested}. "
        f"Please try again in {retry_after.duration(refusal.seconds)}."
    )


def _told(quota: Quota, api: str, now: float) -> Headers:
    """The headers that say how much is left; Anthropic's have other names, and a time where OpenAI has a duration."""
    found: list[tuple[str, str]] = []
    for kind, bucket in quota.buckets.items():
        left = str(max(0, int(bucket.level(now))))
        if api == "messages":
            stem = f"anthropic-ratelimit-{kind}"
            found += [(f"{stem}-limit", str(bucket.per_minute)), (f"{stem}-remaining", left)]
            found.append((f"{stem}-reset", _time_of(bucket, now)))
        else:
            reset = retry_after.duration(bucket.full_in(now))
            found += [(f"x-ratelimit-limit-{kind}", str(bucket.per_minute)), (f"x-ratelimit-remaining-{kind}", left)]
            found.append((f"x-ratelimit-reset-{kind}", reset))
    return tuple(found)


def _time_of(bucket: Bucket, now: float) -> str:
    at = math.ceil(time.time() + bucket.full_in(now))
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
