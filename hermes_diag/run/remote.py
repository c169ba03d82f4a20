"""The real endpoint in a provider's place. It cannot be told to close, and nothing of its side is seen."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING

from hermes_diag.run.destination import Destination
from hermes_diag.watch import snapshot

if TYPE_CHECKING:
    from hermes_diag.core.evidence import Connection, Served
    from hermes_diag.core.sockets import SocketRow


class Remote:
    """What a cell needs of the endpoint. addresses: what its name was resolved to. requests: this cell's share."""

    served: tuple[Served, ...] = ()
    seen: tuple[Connection, ...] = ()
    closed: Mapping[tuple[str, int], None] = {}
    posts: int | None = None

    def __init__(self, where: Destination, addresses: tuple[str, ...], requests: int) -> None:
        self.base_url = where.base_url
        self.address = (addresses[0], where.port)
        self.job = {"reach": f"{where.host}|{where.port}|{','.join(addresses)}", "requests": str(requests)}
        self._remotes = [(address, where.port) for address in addresses]
        self._ours: set[tuple[str, int]] = set()

    def rows(self, backend: ModuleType, pid: int) -> list[SocketRow]:
        """Sockets of the job towards the endpoint, also those that it no longer holds.

        Other processes may talk to the same addresses; a socket is the job's if it ever was seen to be.
        """
        rows = [row for remote in self._remotes for row in snapshot.rows(backend, pid, remote)]
        self._ours |= {row.local for row in rows if row.pid == pid}
        return [row for row in rows if row.local in self._ours]

    async def start(self) -> None:
        """It runs already."""

    async def stop(self) -> None:
        """It stays as it is."""

    async def settle(self) -> None:
        """Whether it is at rest cannot be known."""

    async def close_idle(self) -> None:
        """It closes when it likes."""

    async def release(self) -> None:
        """It holds nothing for us."""
