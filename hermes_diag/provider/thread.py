"""The thread in which providers live: sampling in the host must not make a provider late."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class ProviderThread:
    """An event loop in a thread of its own. Context manager; `do` and `run` run a coroutine there."""

    def __enter__(self) -> ProviderThread:
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._live, name="provider", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _live(self) -> None:
        with self._runner:  # leaving it cancels what still runs because its caller was interrupted
            self._runner.run(self._end.wait())

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end in the thread and wait for it here; its exception is raised here."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def run(self, work: Coroutine[Any, Any, T], patience: float) -> T:
        """The same for a caller without an event loop. Raises TimeoutError after `patience` seconds."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(patience)
