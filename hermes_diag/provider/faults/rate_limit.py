"""So many requests a minute, and tokens if told; what is more is a 429 that says how long to wait.

`tokens` is what a minute allows (0: any number), `burst` how many requests may come at once (0: those of a minute),
`retry_after` how the wait is told: seconds, date, ms (retry-after-ms beside it) or none. Time alone mends it. All
models and clients share one quota.
"""

from __future__ import annotations

import time

from hermes_diag.provider.answers.retry_after import WAYS
from hermes_diag.provider.quota import Quota


def quota(requests: int = 60, tokens: int = 0, burst: int = 0, retry_after: str = "seconds") -> Quota:
    return Quota(requests, tokens, burst, retry_after, time.monotonic())


def check(requests: int, tokens: int, burst: int, retry_after: str) -> None:
    if not requests:
        raise ValueError("it allows at least 1 request a minute")
    if retry_after not in WAYS:
        raise ValueError(f"retry_after is one of {', '.join(WAYS)}")
