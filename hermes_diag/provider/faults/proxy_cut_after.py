"""The tunnel is cut after so many seconds, under traffic too: `how` is reset or fin."""

from __future__ import annotations

from hermes_diag.provider.hop import Hop

HOW = ("reset", "fin")


def tunnel(hop: Hop, seconds: float = 1.0, how: str = "reset") -> None:
    hop.once_open(lambda: hop.ends_in(seconds, hop.reset if how == "reset" else hop.cut))


def check(seconds: float, how: str) -> None:
    if how not in HOW:
        raise ValueError(f"how is one of {', '.join(HOW)}")
