"""What is inside a client of the SDK: its http_client, pools, limits, timeouts, proxies.

Asks the objects and imports neither httpx nor httpx2: openai 3 takes http_clients of both.
"""

import socket
import sys
from urllib.request import getproxies

_FAMILIES = ("httpx", "httpx2")
#: Transports around transports that are looked through.
DEPTH = 4
_TIMEOUTS = ("connect", "read", "write", "pool")


def http_client_of(client):
    return client._client


def transport_of(client):
    return http_client_of(client)._transport


def family(client):
    """The module httpx or httpx2 that a client's http_client is of; None for a stranger."""
    for kind in type(http_client_of(client)).__mro__:
        name = kind.__module__.partition(".")[0]
        if name in _FAMILIES:
            return sys.modules[name]
    return None


def pool_limits(client):
    """(max_connections, max_keepalive) of the pool behind a client; None where it has no such pool."""
    settings = pool_settings(_pool(transport_of(client)))
    return settings["max_connections"], settings["max_keepalive"]


def pools(client):
    """(where, pool) of a client's own transport and of each mounted one; nothing for a transport without a pool."""
    found = [(where, _pool(transport)) for where, transport in _transports(client)]
    return [(where, pool) for where, pool in found if pool is not None]


def _transports(client):
    """(where, transport): the client's own, and those that are mounted."""
    http_client = http_client_of(client)
    mounts = [("mount %s" % pattern.pattern, mount) for pattern, mount in http_client._mounts.items()]
    return [("transport", http_client._transport), *mounts]


def _pool(transport, depth=DEPTH):
    """httpcore's pool; the transport itself where it says its limits and has no such pool: aiohttp's, which makes its
    connector when it is first asked. A transport may be around another one."""
    pool = getattr(transport, "_pool", None)
    if pool is None and hasattr(getattr(transport, "limits", None), "max_connections"):
        return transport
    for inner in vars(transport).values() if pool is None and depth and hasattr(transport, "__dict__") else ():
        if hasattr(inner, "handle_request") or hasattr(inner, "handle_async_request"):
            pool = pool or _pool(inner, depth - 1)
    return pool


def pool_settings(pool):
    """Limits of a pool, expiry in seconds and connect retries."""
    limits = getattr(pool, "limits", None)
    return {
        "max_connections": getattr(limits, "max_connections", getattr(pool, "_max_connections", None)),
        "max_keepalive": getattr(
            limits, "max_keepalive_connections", getattr(pool, "_max_keepalive_connections", None)
        ),
        "expiry": getattr(limits, "keepalive_expiry", getattr(pool, "_keepalive_expiry", None)),
        "retries": getattr(pool, "_retries", None),
    }


def occupied(client):
    """How many connections the pools behind a client, mounted ones too, count as taken; None without such a pool."""
    counted = [len(pool._connections) for _, pool in pools(client) if hasattr(pool, "_connections")]
    return sum(counted) if counted else None


def proxies_of(client):
    """Whether a client heeds the environment, and whether it has a proxy that is not the environment's."""
    environment = {"mount %s://" % scheme for scheme in getproxies()}
    proxied = [where for where, transport in _transports(client) if _proxied(transport)]
    trust_env = bool(getattr(http_client_of(client), "trust_env", True))
    return {"trust_env": trust_env, "own_proxy": any(where not in environment for where in proxied)}


def _proxied(transport):
    pool = getattr(transport, "_pool", None)
    return getattr(pool, "_proxy_url", None) is not None or getattr(transport, "proxy", None) is not None


def asks_keepalive(pool):
    """Whether a pool was told to set SO_KEEPALIVE on its sockets."""
    options = getattr(pool, "_socket_options", None) or ()
    return any(option[:2] == (socket.SOL_SOCKET, socket.SO_KEEPALIVE) and option[2] for option in options)


def timeouts(timeout):
    """A timeout of the SDK, httpx or httpx2, or a number, as seconds by name; None for none."""
    return {name: getattr(timeout, name, timeout) for name in _TIMEOUTS}
