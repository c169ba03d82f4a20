"""The proxy opens the tunnel (200), then closes it at once with a RST."""

from __future__ import annotations

from hermes_diag.provider.proxy.hop import Hop


def tunnel(hop: Hop) -> None:
    hop.once_open(hop.reset)
