"""HTTP/2: no PING is answered; all else is."""

from __future__ import annotations

from hermes_diag.provider.transport.connection import Connection

NEEDS_TLS = True


def hello(connection: Connection) -> None:
    connection.deaf = True


def acted(connection: Connection) -> bool:
    return connection.http2
