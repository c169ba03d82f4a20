"""HTTP/2: a GOAWAY after so many idle seconds; the connection stays open, and answers nothing more."""

from __future__ import annotations

from hermes_diag.provider.transport.connection import Connection

NEEDS_TLS = True


def idle(connection: Connection, seconds: float = 5.0) -> bool:
    return connection.retire()
