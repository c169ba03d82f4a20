"""The tunnel is cut after so many seconds, under traffic too: `how` is reset or fin."""

from __future__ import annotations

from hermes_diag.provider.faults.cut_after import acted, check
from hermes_diag.provider.proxy.hop import Hop

__all__ = ["acted", "check", "tunnel"]


def tunnel(hop: Hop, seconds: float = 1.0, how: str = "reset") -> None:
    hop.once_open(lambda: hop.ends_in(seconds, hop.reset if how == "reset" else hop.cut))
