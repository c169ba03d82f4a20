"""A request is sent again, unchanged, that was refused for a reason which no retry mends."""

from collections import Counter

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence, Served
from hermes_diag.judge import retries
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "refusal-retried", "problem", "repeats"
REMEDY = (
    "Try again only what may succeed: not 400, 401, 403, 404, 413, 422, and no 429 whose code is insufficient_quota."
)
REFERENCE = ""

STATUSES = (400, 401, 403, 404, 413, 422)
#: Of a 429 that no wait of a client's mends: no credit, a plan that is used up, more tokens than a minute allows.
CODES = ("insufficient_quota", "usage_limit_reached", "request_too_large")


def check(evidence: Evidence) -> Hit | None:
    again = [
        (name, _why(first))
        for name, requests in retries.sent(evidence).attempts.items()
        for first, _ in retries.again(requests)
        if _why(first)
    ]
    if not again:
        return None
    counts = Counter(why for _, why in again)
    return Hit(
        f"{units.were(len(again), 'request')} sent again after a refusal that no retry mends: "
        + ", ".join(f"{why} x{count}" for why, count in counts.most_common()),
        {"again": len(again)},
        tuple(dict.fromkeys(name for name, _ in again)),
    )


def _why(one: Served) -> str:
    if one.code in CODES:
        return f"{one.status} {one.code}"
    return str(one.status) if one.status in STATUSES else ""
