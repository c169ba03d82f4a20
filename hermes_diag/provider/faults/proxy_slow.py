"""The tunnel carries so many bytes a second, each way."""

from __future__ import annotations

from hermes_diag.provider.faults.throttle import check
from hermes_diag.provider.proxy.hop import Hop

__all__ = ["check", "tunnel"]


def tunnel(hop: Hop, rate: int = 1000) -> None:
    hop.slow_down(lambda side: side.throttle(rate))
