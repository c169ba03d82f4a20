"""HTTP/2: so many bytes of each request body are let through, and the flow-control window never opens again."""

from __future__ import annotations

from hermes_diag.provider.transport.connection import Connection

NEEDS_TLS = True


def hello(connection: Connection, bytes: int = 0) -> None:
    connection.window = bytes


def acted(connection: Connection) -> bool:
    return connection.http2
