"""What some cells need beside a provider: a CONNECT proxy that counts, an address that does not answer, a CA file.

A setting of the cell asks for each of them; a setting of the worker's job tells where it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Mapping

from hermes_diag.provider.blocking import ca_file
from hermes_diag.provider.server import Provider
from hermes_diag.worker.contract import Measured

_CHUNK = 64 * 1024


class Extras:
    """The extras of one cell. `job`: the settings that the worker gets."""

    def __init__(self, settings: Mapping[str, str], address: Callable[[], tuple[str, int]]) -> None:
        """address: called after the provider has started; where it listens."""
        self.job = dict(settings)
        self._address = address
        self._stack = contextlib.AsyncExitStack()
        self._proxy: ConnectProxy | None = None

    async def start(self) -> None:
        """Set up what the settings ask for; the provider is listening. Raises OSError."""
        if "tls" in self.job:
            self.job["ca"] = str(self._stack.enter_context(ca_file()))
        if "proxy" in self.job:
            self._proxy = ConnectProxy(self._address())
            await self._proxy.start()
            self._stack.push_async_callback(self._proxy.stop)
            self.job["proxy"] = f"http://127.0.0.1:{self._proxy.port}"
        if "home" in self.job:
            home = tempfile.TemporaryDirectory(prefix="hermes-diag-", ignore_cleanup_errors=True)
            self.job["home"] = self._stack.enter_context(home)
        if "dead" in self.job:
            dead = Provider(faults=["connection-limit=0"])
            await dead.start()
            self._stack.push_async_callback(dead.stop)
            self.job["dead"] = str(dead.address[1])

    def measured(self) -> list[Measured]:
        """What the extras have counted."""
        return [Measured("proxy_connects", float(self._proxy.connects), "connections")] if self._proxy else []

    async def stop(self) -> None:
        await self._stack.aclose()


class ConnectProxy:
    """A CONNECT proxy on loopback that connects to the provider only, and counts."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()
        self.connects = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._tunnel(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"CONNECT "):
                writer.write(b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n")
                return
            self.connects += 1
            from_target, to_target = await asyncio.open_connection(*self._target)
            ends.append(to_target)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pass_on(reader, to_target), _pass_on(from_target, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # one side has closed: close the other
        finally:
            for end in ends:
                end.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
