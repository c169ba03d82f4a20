"""The proxy answers with a status in the place of a tunnel: 502, as one that cannot reach the target."""

from __future__ import annotations

from hermes_diag.provider.proxy.hop import Hop


def tunnel(hop: Hop, status: int = 502) -> None:
    hop.refuse(status, "refused on purpose")


def check(status: int) -> None:
    if not 400 <= status <= 599 or status == 407:
        raise ValueError("status is from 400 to 599; for 407 there is proxy-auth")
