"""Counts what is in the pools of connections: httpcore and httpcore2, urllib3, aiohttp.

Read by the names of their attributes, in the releases that tests/test_attach.py installs.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

from hermes_diag.leakguard.attach.inside.kinds import KIND, named
from hermes_diag.leakguard.attach.inside.naming import is_container
from hermes_diag.leakguard.attach.inside.reading import (
    MISSING,
    MODULE_TYPE,
    QUALNAME_OF,
    is_type,
    kin,
    one_of,
    peek,
    text_of,
    type_name,
)

#: Pools that are counted, and ways that are told, even where time is over: they take a few hundredths of a second.
FEW = 200


def open_socket(value: Any) -> bool:
    """Whether a socket with a descriptor is beneath an object, a few steps down."""
    open_: list[tuple[Any, int]] = [(value, 0)]
    seen: set[int] = set()
    while open_ and len(seen) < 400:
        one, depth = open_.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        if kin(one, KIND["socket"]):
            if KIND["socket"].fileno(one) >= 0:
                return True
            continue
        if depth < 6:
            open_ += [
                (child, depth + 1)
                for child in gc.get_referents(one)
                if gc.is_tracked(child)
                and not one_of(type(child), MODULE_TYPE, KIND["function"])
                and not is_type(child)
                if followed(child)
            ]
    return False


def followed(value: Any) -> bool:
    """Whether it can be a part of one connection: pools, loops and clients lead to sockets of others."""
    name = text_of(QUALNAME_OF(type(value)))
    return not name.endswith(
        ("Pool", "Loop", "Connector", "Manager", "Client", "Selector", "Session", "Task", "Handle")
    )


def listed(value: Any) -> list[Any]:
    """What is in a container; nothing where the library keeps no such container (any more)."""
    if value is MISSING or not is_container(value):
        return []
    for base in (dict, list, tuple, set, frozenset, KIND["deque"]):
        if base is not None and kin(value, base):
            return list(dict.values(value) if base is dict else base.__iter__(value))
    return []


def number_of(value: Any) -> int | None:
    """A limit; None: there is none."""
    return value if type(value) is int and 0 < value < sys.maxsize else None


def of_httpcore(pool: Any) -> tuple[int | None, int, int, int, int] | None:
    """(limit, used, idle, queued, lost) of a pool of httpcore or httpcore2."""
    connections = peek(pool, "_connections")
    if connections is MISSING:
        return None
    requests = listed(peek(pool, "_requests"))
    served = {
        id(one) for request in requests if (one := peek(request, "connection")) is not MISSING and one is not None
    }
    idle = lost = 0
    all_ = listed(connections)
    for connection in all_:
        inner = peek(connection, "_connection")
        inner = connection if inner is MISSING else inner
        state = peek(inner, "_state") if inner is not None else MISSING
        if state is not MISSING and text_of(peek(state, "_name_"), "") == "IDLE":
            idle += 1
        elif not open_socket(connection) and not (inner is None and id(connection) in served):
            lost += 1
    queued = sum(peek(request, "connection") is None for request in requests)
    return number_of(peek(pool, "_max_connections")), len(all_) - idle, idle, queued, lost


def of_urllib3(pool: Any, connections: list[Any]) -> tuple[int | None, int, int, int, int] | None:
    """The same of a pool of urllib3; a pool that does not block has no queue of requests."""
    queue = peek(pool, "pool")
    if queue is MISSING or queue is None:
        return None
    places = listed(peek(queue, "queue"))
    kept = [one for one in places if one is not None]
    limit = peek(queue, "maxsize")
    idle = sum(open_socket(one) for one in kept)
    used = max(0, limit - len(places)) if type(limit) is int else 0
    host, port = peek(pool, "host"), peek(pool, "port")
    out = [
        one
        for one in connections
        if not any(one is other for other in kept)
        and same(peek(one, "_dns_host"), host)
        and same(peek(one, "port"), port)
    ]
    waiters = peek(peek(queue, "not_empty"), "_waiters") if peek(queue, "not_empty") is not MISSING else MISSING
    blocked = len(listed(waiters)) if peek(pool, "block") is True else 0
    return number_of(limit), used, idle, blocked, max(0, used - sum(map(open_socket, out)))


def same(one: Any, other: Any) -> bool:
    """Whether two plain strings or numbers are equal."""
    return type(one) is type(other) and one_of(type(one), str, int) and bool(one == other)


def of_aiohttp(connector: Any) -> tuple[int | None, int, int, int, int] | None:
    """The same of a connector of aiohttp."""
    acquired = peek(connector, "_acquired")
    if acquired is MISSING:
        return None
    idle = sum(len(listed(row)) for row in listed(peek(connector, "_conns")))
    queued = sum(len(listed(row)) for row in listed(peek(connector, "_waiters")))
    lost = 0
    used = listed(acquired)
    for protocol in used:
        if text_of(QUALNAME_OF(type(protocol))) == "_TransportPlaceholder":
            continue  # it connects
        transport = peek(protocol, "transport")
        if transport is None or (transport is not MISSING and not open_socket(transport)):
            lost += 1
    return number_of(peek(connector, "_limit")), len(used), idle, queued, lost


def pools(picked: list[Any], late: Any) -> list[tuple[Any, str, tuple[int | None, int, int, int, int]]]:
    """(pool, kind, counts) of each pool among the objects."""
    found: list[tuple[Any, str, tuple[int | None, int, int, int, int]]] = []
    connections = [one for one in picked if named(one) == "connection"]
    for one in picked:
        if len(found) >= FEW and late():
            break
        kind = named(one)
        counts = None
        if kind == "httpcore":
            counts = of_httpcore(one)
        elif kind == "urllib3":
            counts = of_urllib3(one, connections)
        elif kind == "aiohttp":
            counts = of_aiohttp(one)
        if counts is not None:
            found.append((one, type_name(type(one)), counts))
    return found
