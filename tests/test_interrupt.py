"""An interrupt that comes just with an event of the worker is not lost."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from hermes_diag.core import matrix
from hermes_diag.provider.thread import ProviderThread
from hermes_diag.run import payload
from hermes_diag.run.cell_run import CellRun


class Busy:
    """A lane whose next event is always there, as that of a worker in a fast loop."""

    spawn = False
    gone = False

    async def event(self) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, object())
        return await future


@pytest.mark.parametrize("turns", range(8))
def test_a_cancellation_beside_an_event(turns: int) -> None:
    """At whatever turn of the event loop it comes, the session ends."""
    body = payload.load(None)
    cell = matrix.for_factory(body.info, "c:make", (), ("steady",), matrix.Sizes()).cells[-1]
    session = object.__new__(CellRun)
    session.cell = cell
    session._record = lambda record: None  # type: ignore[method-assign]

    async def main() -> None:
        lane = Busy()
        task = asyncio.create_task(session._follow(lane))  # type: ignore[arg-type]
        for _ in range(20 + turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task], timeout=10)
        assert task.cancelled()

    asyncio.run(main())


def test_what_was_waited_for_in_the_thread() -> None:
    """Who is cancelled while waiting for the providers' thread leaves a task there, which ends with the thread."""
    ends: list[str] = []
    begun = threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ends.append(threading.current_thread().name)
            raise

    async def main() -> None:
        with ProviderThread() as thread:
            waiting = asyncio.create_task(thread.do(work()))
            await asyncio.to_thread(begun.wait, 10)
            assert begun.is_set()
            waiting.cancel()

    asyncio.run(main())
    assert ends == ["provider"]
