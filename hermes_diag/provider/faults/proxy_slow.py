"""The tunnel carries so many bytes a second, each way."""

from __future__ import annotations

from hermes_diag.provider.hop import Hop


def tunnel(hop: Hop, rate: int = 1000) -> None:
    hop.slow_down(lambda side: side.throttle(rate))


def check(rate: int) -> None:
    if rate < 1:
        raise ValueError("rate is at least 1 byte a second")
