"""So many connections at the same time; for further ones the backlog is full and the connect hangs."""

from __future__ import annotations

REFERENCE = "#13834"


def limit(connections: int = 1) -> int:
    return connections
