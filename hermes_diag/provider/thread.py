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
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="provider", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        left = asyncio.all_tasks(self._loop)  # of who was interrupted while waiting for them
        for task in left:
            task.cancel()
        if left:
            self._loop.run_until_complete(asyncio.wait(left, timeout=5))
        self._loop.close()

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it to its end in the thread and wait for it here; its exception is raised here."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def run(self, work: Coroutine[Any, Any, T], patience: float) -> T:
        """The same for who has no loop. Raises TimeoutError after so many seconds."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(patience)
