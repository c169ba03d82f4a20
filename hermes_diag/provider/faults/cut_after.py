"""The connection is cut so many seconds after it was opened, under traffic too: `how` is reset or fin."""

from __future__ import annotations

from hermes_diag.provider.transport.connection import Connection

HOW = ("reset", "fin")


def hello(connection: Connection, seconds: float = 5.0, how: str = "reset") -> None:
    connection.ends_in(seconds, connection.reset if how == "reset" else connection.cut)


def check(seconds: float, how: str) -> None:
    if how not in HOW:
        raise ValueError(f"how is one of {', '.join(HOW)}")


def acted(connection: Connection) -> bool:
    return connection.ended
