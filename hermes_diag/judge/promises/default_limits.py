"""No pool, own or mounted, is smaller than the SDK's."""

from hermes_diag.judge.promises import Audited, Verdict, failed, passed, unknown

CODE, ORDER = "default-limits", 6
PROMISE = "every pool has the SDK's limits, also those of mounts"
WHY = "100 connections instead of 1000: abandoned streams use them up, then every request waits for one"
REFERENCE = "#11072"


def check(audited: Audited) -> Verdict:
    pools, (connections, keepalive) = audited.facts["pools"], audited.facts["default_limits"]
    if not pools:
        return unknown("its transport has no pool that could be asked")
    small = [
        f"{pool['where']} {pool['max_connections']}/{pool['max_keepalive']}"
        for pool in pools
        if (pool["max_connections"] or connections) < connections or _fewer(pool["max_keepalive"], keepalive)
    ]
    if small:
        return failed(f"{', '.join(small)} instead of {connections}/{keepalive} (connections/kept alive)")
    return passed(", ".join(f"{pool['where']} {pool['max_connections']}/{pool['max_keepalive']}" for pool in pools))


def _fewer(kept: int | None, default: int) -> bool:
    return kept is not None and kept < default
