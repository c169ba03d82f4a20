"""The proxy takes so many seconds until it opens the tunnel."""

from __future__ import annotations

from hermes_diag.provider.proxy.hop import Hop


def tunnel(hop: Hop, seconds: float = 3600.0) -> None:
    hop.stall(seconds)
