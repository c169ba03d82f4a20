"""The provider for code that is not asynchronous: it runs in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from hermes_diag.model import Connection, Served
from hermes_diag.provider import script, server
from hermes_diag.provider.tls import authority

T = TypeVar("T")
#: Seconds within which the thread must answer.
PATIENCE = 30.0


class Provider:
    """A provider on 127.0.0.1, from `with` to the end of the block.

    faults: specs as `hermes-diag faults` lists them. tls: with a certificate whose authority is in the
    file `ca_file`. reply: "echo", or a file as `serve --reply` takes it. Other keywords as server.Provider's.
    Raises UsageError for a fault it does not know, CannotMeasure or OSError when there is no port.
    """

    def __init__(self, faults: Sequence[str] = (), tls: bool = False, reply: str | None = None, **options: Any) -> None:
        if reply is not None:
            options["reply"] = script.load(reply)
        self._core = server.Provider(faults=faults, tls=tls, **options)
        self._stack = contextlib.ExitStack()
        self.base_url = ""
        self.ca_file: Path | None = None

    def __enter__(self) -> Provider:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="hermes-diag-provider", daemon=True)
        self._thread.start()
        self._stack.callback(self._end_loop)
        try:
            self._run(self._core.start())
            self._stack.callback(lambda: self._run(self._core.stop()))
            self.base_url = self._core.base_url
            if self._core.tls:
                self.ca_file = self._stack.enter_context(ca_file())
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    @property
    def address(self) -> tuple[str, int]:
        """(127.0.0.1, port)"""
        return self._core.address

    @property
    def requests(self) -> tuple[Served, ...]:
        """Every request that is over, in the order in which they ended."""
        return self._ask(lambda: tuple(self._core.served))

    @property
    def closed_connections(self) -> tuple[Connection, ...]:
        """Every connection that is closed: who closed first, and how."""
        return self._ask(lambda: tuple(self._core.seen))

    @property
    def open_connections(self) -> int:
        """Connections that are open on this side."""
        return self._ask(lambda: len(self._core.open))

    @property
    def vanished(self) -> bool:
        """Whether a connection was dropped silently."""
        return self._core.vanish_is_real is not None

    @property
    def vanish_is_real(self) -> bool:
        """Whether the kernel drops its packets; if not, it accepts and never answers."""
        return self._core.vanish_is_real is True

    def tally(self) -> dict[str, int]:
        """Counts since the start."""
        return self._ask(self._core.tally)

    def set_faults(self, faults: Iterable[str]) -> None:
        """These faults from now on. Raises UsageError."""
        self._ask(lambda: self._core.set_faults(faults))

    def settle(self) -> None:
        """Return once nothing is being answered. Raises TimeoutError."""
        self._run(self._core.settle())

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _ask(self, call: Callable[[], T]) -> T:
        async def asked() -> T:
            return call()

        return self._run(asked())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


@contextlib.contextmanager
def ca_file() -> Any:
    """The certificate that clients must trust, as a file in a folder that only we can read."""
    with tempfile.TemporaryDirectory(prefix="hermes-diag-") as folder:
        path = Path(folder) / "ca.pem"
        path.write_bytes(authority().pem())
        yield path
