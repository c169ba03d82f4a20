"""Each piece takes so long through the tunnel, each way, by chance up to `jitter` more or less."""

from __future__ import annotations

from hermes_diag.provider.faults.latency import check
from hermes_diag.provider.proxy.hop import Hop

__all__ = ["check", "tunnel"]


def tunnel(hop: Hop, seconds: float = 0.2, jitter: float = 0.0) -> None:
    hop.slow_down(lambda side: side.delay(seconds, jitter))
