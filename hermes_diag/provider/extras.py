"""What some cells need beside a provider: an address that does not answer, a CA file; and what its proxy counted.

A setting of the cell asks for each of them; a setting of the worker's job tells where it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from hermes_diag.core import scratch
from hermes_diag.provider.blocking import ca_file
from hermes_diag.provider.server import Provider
from hermes_diag.worker.contract import Measured


class Extras:
    """The extras of one cell. `job`: the settings that the worker gets."""

    def __init__(self, settings: Mapping[str, str], provider: Provider | None = None) -> None:
        """provider: the cell's, with its proxy and its faults; None: a real endpoint is in its place."""
        self.job = dict(settings)
        self._provider = provider
        self._proxy = provider.proxy if provider is not None else None
        self._stack = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """Set up what the settings ask for; the provider is listening. Raises OSError."""
        if "tls" in self.job:
            self.job["ca"] = str(self._stack.enter_context(ca_file()))
        if self._proxy is not None:
            self.job["proxy"] = self._proxy.url
        if "home" in self.job:
            self.job["home"] = self._stack.enter_context(scratch.folder())
        if "bystanders" in self.job:
            self.job["bystanders"] = self._stack.enter_context(scratch.folder())
        if "dead" in self.job:
            dead = Provider(faults=["connection-limit=0"])
            await dead.start()
            self._stack.push_async_callback(dead.stop)
            self.job["dead"] = str(dead.address[1])

    def measured(self) -> list[Measured]:
        """What the proxy has counted, and how often the fault has acted where it could have."""
        found = [Measured("proxy_connects", float(self._proxy.connects), "connections")] if self._proxy else []
        return found if self._provider is None else [*found, *_fault_acted(self._provider)]

    async def stop(self) -> None:
        await self._stack.aclose()


def _fault_acted(provider: Provider) -> Iterator[Measured]:
    """Nothing for a fault that need not act: a limit of connections is in force all the time, and a client that closes
    its connections itself leaves none idle."""
    idle = any(one.closed_first != "client" for one in provider.seen)
    answered = provider.counts()
    for fault in provider.faults.all:
        if fault.hook != "limit" and (idle or fault.hook != "idle"):
            times = answered[f"fault {fault.name}"] + provider.faults.acted[fault.name]
            yield Measured("fault_acted", float(times), "times")
