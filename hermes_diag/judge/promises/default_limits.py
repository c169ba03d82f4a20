"""No pool, own or mounted, is smaller than the SDK's by accident."""

from collections.abc import Mapping, Sequence
from typing import Any

from hermes_diag.judge.promises import Audited, Verdict, chosen, failed, passed, unknown

CODE, ORDER = "default-limits", 6
PROMISE = "no pool has limits by accident, also none of a mount"
WHY = "100 connections instead of 1000: abandoned streams use them up, then every request waits for one"
FIX = "pass limits=openai.DEFAULT_CONNECTION_LIMITS to the client, its transport and each mount"
REFERENCE = "#11072"

#: What an httpx transport has that is given no limits: whoever injects one means to keep the SDK's.
HTTPX = (100, 20)


def check(audited: Audited) -> Verdict:
    pools, (connections, keepalive) = audited.facts["pools"], audited.facts["default_limits"]
    if not pools:
        return unknown("its transport has no pool whose limits could be read")
    every = _listed(pools)
    if wanted := audited.expected.limits:
        met = all(_meets(pool, wanted) for pool in pools)
        return passed(f"{every}, as expected") if met else failed(f"{every}, expected {_text(wanted)}")
    small = [
        pool
        for pool in pools
        if (pool["max_connections"] or connections) < connections or _fewer(pool["max_keepalive"], keepalive)
    ]
    if not small:
        return passed(every)
    words = f"{_listed(small)} instead of {connections}/{keepalive}"
    if any((pool["max_connections"], pool["max_keepalive"]) == HTTPX for pool in small):
        return failed(f"{words} (connections/kept alive): httpx's own, which an injected transport brings along")
    least = min((pool["max_connections"] for pool in small if pool["max_connections"]), default=0)
    if 0 < least < connections:
        return chosen(audited, words, f"the {_ordinal(least + 1)} request at a time waits for a connection")
    return chosen(audited, words, "more requests at a time than are kept alive open connections anew")


def _fewer(kept: int | None, default: int) -> bool:
    return kept is not None and kept < default


def _meets(pool: Mapping[str, Any], wanted: tuple[int, int | None]) -> bool:
    return pool["max_connections"] == wanted[0] and wanted[1] in (None, pool["max_keepalive"])


def _listed(pools: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{pool['where']} {_text((pool['max_connections'], pool['max_keepalive']))}" for pool in pools)


def _text(limits: tuple[int | None, int | None]) -> str:
    return "/".join("any number" if one is None else str(one) for one in limits)


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
