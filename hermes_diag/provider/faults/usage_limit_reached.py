"""429 of the ChatGPT backend: the plan is used up, and so many seconds are left until it is not.

Body and headers are those that users of Codex report (earendil-works/pi #4172); Codex reads type, plan_type and
resets_at.
"""

from __future__ import annotations

import json
import time

from hermes_diag.provider.exchange import Exchange

CODE, PLAN = "usage_limit_reached", "plus"


async def answer(exchange: Exchange, seconds: float = 3600.0) -> None:
    exchange.code = CODE
    left, at = int(seconds), int(time.time() + seconds)
    error = {
        "type": CODE,
        "message": "The usage limit has been reached",
        "plan_type": PLAN,
        "resets_at": at,
        "eligible_promo": None,
        "resets_in_seconds": left,
    }
    headers = (
        ("x-codex-plan-type", PLAN),
        ("x-codex-primary-used-percent", "100"),
        ("x-codex-primary-window-minutes", "300"),
        ("x-codex-primary-reset-after-seconds", str(left)),
        ("x-codex-primary-reset-at", str(at)),
    )
    exchange.whole(429, json.dumps({"error": error}).encode(), headers=headers)
