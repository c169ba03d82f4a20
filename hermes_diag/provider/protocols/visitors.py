"""Tells requests of programs from those that a page in a browser makes behind its user's back. Pure.

A page of any site may have a browser send requests to 127.0.0.1, and may have its own name point there (DNS
rebinding). The one shows in the Origin header, the other in the Host header.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

FROM_A_PAGE = "Requests that a page of another site makes are refused."
OTHER_HOST = "Only requests to a loopback host are answered."
#: Names that no public resolver may answer for (RFC 6761): no page can have been loaded from there.
_RESERVED = ("localhost", "invalid", "test")


def why_refused(headers: Mapping[str, str]) -> str:
    """Why a request is refused, "" for one that is not. headers: names in lower case."""
    if from_elsewhere(headers.get("origin")):
        return FROM_A_PAGE
    host = headers.get("host")
    if host is None or host.partition(":")[0] == "127.0.0.1":  # as nearly all are
        return ""
    return "" if is_ours(_name(f"//{host}")) else OTHER_HOST


def from_elsewhere(origin: str | None) -> bool:
    """Whether an Origin header names a site that is not on loopback. "null" is that of a page without one."""
    return origin is not None and not is_ours(_name(origin))


def is_ours(name: str) -> bool:
    """Whether a host name or address can only be of this machine."""
    if name.lower().rstrip(".").rpartition(".")[2] in _RESERVED:
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # half an IPv6 address
        return ""
