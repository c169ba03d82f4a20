"""The proxy opens the tunnel (200), then closes it at once with a FIN."""

from __future__ import annotations

from hermes_diag.provider.proxy.hop import Hop


def tunnel(hop: Hop) -> None:
    # What the client sends next is read and dropped: to a socket that is closed it would be answered with a RST.
    hop.once_open(hop.linger)
