"""How a client is told to wait: Retry-After in seconds or as a date, retry-after-ms, durations in words. Pure."""

from __future__ import annotations

import math
from email.utils import formatdate, parsedate_to_datetime

from hermes_diag.provider.protocols.http1 import Headers

SECONDS, DATE, MS, NONE = "seconds", "date", "ms", "none"
WAYS = (SECONDS, DATE, MS, NONE)


def headers(way: str, seconds: float, now: float) -> Headers:
    """The headers that say to wait so long. now: seconds since the epoch.

    Retry-After knows whole seconds only: both of its forms are rounded up, so that the wait is long enough.
    """
    if way == NONE:
        return ()
    if way == DATE:
        return (("retry-after", formatdate(math.ceil(now + seconds), usegmt=True)),)
    whole = ("retry-after", str(math.ceil(seconds)))
    return (("retry-after-ms", str(math.ceil(seconds * 1000))), whole) if way == MS else (whole,)


def told(given: Headers, now: float) -> float | None:
    """Seconds to wait that an answer tells; None when it tells none. Milliseconds count before Retry-After."""
    values = dict(given)
    text = values.get("retry-after-ms", "")
    if text.isdecimal():
        return int(text) / 1000
    text = values.get("retry-after", "")
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except ValueError:
        return None


def duration(seconds: float) -> str:
    """As the provider writes it: 120ms, 1.5s, 6m0s, 1h0m30s."""
    ms = math.ceil(seconds * 1000)
    if ms < 1000:
        return f"{ms}ms"
    minutes, left = divmod(ms, 60_000)
    if not minutes:
        return f"{left / 1000:g}s"
    hours, minutes = divmod(minutes, 60)
    return f"{f'{hours}h' if hours else ''}{minutes}m{left / 1000:g}s"
