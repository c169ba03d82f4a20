"""The tunnel is dropped silently after so many seconds: no packet, and none is heard.

As with idle-vanish a socket filter is needed, and the connection is given up after `held` seconds.
"""

from __future__ import annotations

from hermes_diag.provider.faults.cut_after import acted
from hermes_diag.provider.proxy.hop import Hop

__all__ = ["acted", "tunnel"]

REFERENCE = "#10933"


def tunnel(hop: Hop, seconds: float = 1.0, held: float = 120.0) -> None:
    hop.once_open(lambda: hop.ends_in(seconds, lambda: hop.vanish(held)))
