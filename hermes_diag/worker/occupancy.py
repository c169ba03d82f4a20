"""What the connection pools of httpcore and httpcore2 count, and what of it is real: which places are kept for nothing.

Asks the objects, which are private to both libraries: what is not there as expected is not counted. Changes nothing in
them, and does not ask has_expired(), which reads from the socket.
"""

import contextlib
import sys


def worst(pools):
    """The fields of contract.Pools for the pool that keeps most places for nothing, of those the fullest; None without
    a pool that can be asked."""
    counted = [found for found in map(_count, pools) if found is not None]
    if not counted:
        return None
    chosen = max(counted, key=lambda found: (found["without_socket"], found["connections"]))
    return dict(chosen, pools=len(counted))


def _count(pool):
    try:
        connections, requests = list(pool._connections), list(pool._requests)
    except (AttributeError, RuntimeError):  # no pool of httpcore; or another thread changes it just now
        return None
    asked = {id(getattr(request, "connection", None)) for request in requests}
    # A connection of a request is being made, or in use. One that is closed gives its place back at the next request.
    spare = [one for one in connections if id(one) not in asked and not one.is_closed()]
    lost = [one for one in spare if not _has_socket(one)]
    limit = getattr(pool, "_max_connections", None)
    return {
        "limit": None if limit == sys.maxsize else limit,  # as both libraries write "no limit"
        "connections": len(connections),
        "idle": sum(one.is_idle() for one in connections),
        "queued": sum(request.is_queued() for request in requests),
        "without_socket": len(lost),
        "failed_tunnels": sum(map(_is_failed_tunnel, lost)),
    }


def _has_socket(connection):
    """Whether an open socket is behind a connection of a pool: itself around others, the innermost has the stream."""
    while connection is not None:
        stream = getattr(connection, "_network_stream", None)
        if stream is not None:
            with contextlib.suppress(Exception):  # whatever a stream that is closed raises
                return stream.get_extra_info("socket").fileno() >= 0
            return False
        connection = getattr(connection, "_connection", None)
    return False


def _is_failed_tunnel(connection):
    """A tunnel that the proxy opened (so that it had a stream), and that TLS was never spoken through."""
    inner = getattr(getattr(connection, "_connection", None), "_connection", None)
    return getattr(connection, "_connected", None) is False and hasattr(inner, "_network_stream")
