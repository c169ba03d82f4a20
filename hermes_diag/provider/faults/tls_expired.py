"""The certificate ended yesterday."""

from __future__ import annotations

from hermes_diag.provider.transport import tls
from hermes_diag.provider.transport.connection import Connection

NEEDS_TLS = True


def hello(connection: Connection) -> None:
    connection.certificate = tls.EXPIRED
