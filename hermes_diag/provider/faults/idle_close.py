"""A connection that has been idle for so many seconds is closed with a FIN (on TLS after a close_notify)."""

from __future__ import annotations

from hermes_diag.provider.transport.connection import Connection

REFERENCE = "#11070, #18451, #62175"


def idle(connection: Connection, seconds: float = 5.0) -> None:
    connection.fin()
