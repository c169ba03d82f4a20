"""The tunnel is cut once so many bytes (TLS included) have come to the client: `how` is reset or fin."""

from __future__ import annotations

from hermes_diag.provider.proxy.hop import Hop

HOW = ("reset", "fin")


def tunnel(hop: Hop, after: int = 4096, how: str = "reset") -> None:
    hop.cut_at(after, hop.reset if how == "reset" else hop.cut)


def check(after: int, how: str) -> None:
    if after < 1:
        raise ValueError("after is at least 1 byte")
    if how not in HOW:
        raise ValueError(f"how is one of {', '.join(HOW)}")


def acted(hop: Hop) -> bool:
    return hop.cut_off
