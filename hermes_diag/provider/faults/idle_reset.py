"""A connection that has been idle for so many seconds is reset."""

from __future__ import annotations

from hermes_diag.provider.transport.connection import Connection


def idle(connection: Connection, seconds: float = 5.0) -> None:
    connection.reset()
