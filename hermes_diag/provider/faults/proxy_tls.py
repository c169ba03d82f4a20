"""TLS fails inside the tunnel: an `alert` (handshake_failure) or `garbage` in the place of the server's hello.

A request in plain text has no TLS that could fail: nothing happens to it.
"""

from __future__ import annotations

from hermes_diag.provider.proxy.hop import Hop

#: A fatal alert of TLS 1.2, which is what a peer sends before a version is agreed on (RFC 8446, 5.1 and 6.2).
ALERT = bytes([21, 3, 3, 0, 2, 2, 40])
ANSWERS = {"alert": ALERT, "garbage": b"this is not TLS\r\n"}


def tunnel(hop: Hop, what: str = "alert") -> None:
    if hop.tunnel:
        hop.answer_hello(ANSWERS[what])


def check(what: str) -> None:
    if what not in ANSWERS:
        raise ValueError(f"what is one of {', '.join(ANSWERS)}")


def acted(hop: Hop) -> bool:
    return hop.tunnel
