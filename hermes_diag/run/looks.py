"""Looks at the sockets between a worker and its provider, from outside."""

from __future__ import annotations

import asyncio
from types import ModuleType

from hermes_diag.core.sockets import ESTABLISHED
from hermes_diag.provider.server import Provider
from hermes_diag.run.endpoint import RemoteProvider
from hermes_diag.watch import snapshot
from hermes_diag.watch.snapshot import Snapshot


class Looks:
    """backend: what is asked for the table. provider: ours, or what stands for a real endpoint."""

    def __init__(self, backend: ModuleType, provider: Provider | RemoteProvider) -> None:
        self._backend, self._provider = backend, provider

    def now(self, pid: int, tries: int = snapshot.TRIES) -> Snapshot:
        """Raises OSError when the system refuses."""
        if isinstance(self._provider, RemoteProvider):
            return self._provider.look(self._backend, pid, tries)
        proxy = self._provider.proxy
        through = proxy if proxy is not None and proxy.connects else self._provider
        return snapshot.take(self._backend, pid, [through.address], tries)

    async def after_fins(self, pid: int) -> Snapshot:
        """A snapshot, once every socket to which the provider has sent a FIN has left ESTABLISHED: on a busy
        machine that takes the kernel a moment even on loopback."""
        while True:
            seen = self.now(pid)
            if not any(row.state == ESTABLISHED and row.local in self._provider.closed for row in seen.rows):
                return seen
            await asyncio.sleep(0.001)
