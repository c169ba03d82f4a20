"""A connection that has been idle for so many seconds is dropped silently: no packet, and none is heard.

Needs a socket filter, which an ordinary user may not be allowed; the connection then accepts what it is
sent and never answers. As nothing is heard, neither is that the client has closed: after `held` seconds, or
when other faults are set, the connection is given up.
"""

from __future__ import annotations

from hermes_diag.provider.transport.connection import Connection

REFERENCE = "#10933"


def idle(connection: Connection, seconds: float = 5.0, held: float = 120.0) -> None:
    connection.vanish(held)
