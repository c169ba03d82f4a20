"""The first byte of the TLS handshake is answered with a RST."""

from __future__ import annotations

from hermes_diag.provider.transport.connection import Connection

NEEDS_TLS = True


def hello(connection: Connection) -> None:
    connection.reset_on_hello()
