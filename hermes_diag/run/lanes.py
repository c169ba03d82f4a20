"""Where the cells of a plan run: in jobs forked from one interpreter, in interpreters of their own, in this process."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from hermes_diag.core.errors import is_nowhere, nowhere
from hermes_diag.core.plan import FRESH
from hermes_diag.provider.answers import replies
from hermes_diag.run.cell_run import CellRun
from hermes_diag.run.interpreter import Interpreter, Target
from hermes_diag.run.lane import Lane
from hermes_diag.run.thread_lane import ThreadLane
from hermes_diag.worker.contract import HERMES, Hello

#: Cells that run at the same time. Each has its process, its provider and its port.
LANES = 2


class CellLane(Protocol):
    """Runs one cell after the other. gone: it can run no more."""

    @property
    def gone(self) -> bool: ...

    async def run(self, cell: CellRun) -> None: ...


class Source(Protocol):
    """Opens the lanes of a run. api: of the plan's first payload."""

    def open(self, api: str) -> contextlib.AbstractAsyncContextManager[Sequence[CellLane]]: ...


def interpreters(target: Target, start: str = "auto") -> Source:
    """Lanes in processes. start: "fork", "spawn", or "auto": fork on Linux.

    Elsewhere frameworks of the system may not survive a fork (multiprocessing spawns there too). Raises CannotMeasure.
    """
    if target.cwd is None and is_nowhere():
        raise nowhere()
    forks = start == "fork" or (start == "auto" and sys.platform.startswith("linux"))
    return Forked(target) if forks else Spawned(target, LANES)


class Forked:
    """Each cell in a job forked from one interpreter that has imported the SDK; the control in new interpreters."""

    def __init__(self, target: Target) -> None:
        self._target = target

    @contextlib.asynccontextmanager
    async def open(self, api: str) -> AsyncIterator[Sequence[CellLane]]:
        warm = api, b"".join(replies.stream(api, "gpt-5"))
        async with Interpreter(self._target, LANES, warm=warm) as worker:
            yield [_ForkedLane(self._target, lane) for lane in worker.lanes]


class _ForkedLane:
    def __init__(self, target: Target, lane: Lane) -> None:
        self._target = target
        self._lane = lane
        self._stack: Hello | None = None

    @property
    def gone(self) -> bool:
        return self._lane.gone

    async def run(self, cell: CellRun) -> None:
        if cell.cell.workload == FRESH:
            await cell.in_new_interpreters(self._target)
            return
        self._stack = self._stack or await self._lane.hello(cell.cell.strategy == HERMES)
        await cell.on_lane(self._lane, self._stack)


class Spawned:
    """Each cell in an interpreter of its own, and each turn of the control."""

    gone = False

    def __init__(self, target: Target, lanes: int) -> None:
        self._target = target
        self._lanes = lanes

    @contextlib.asynccontextmanager
    async def open(self, api: str) -> AsyncIterator[Sequence[CellLane]]:
        yield [self] * self._lanes

    async def run(self, cell: CellRun) -> None:
        await cell.in_new_interpreters(self._target)


class ThisProcess:
    """Each cell in a thread of this process, one after the other, on an object that only this process has."""

    gone = False

    def __init__(self, thing: Any) -> None:
        self._thing = thing

    @contextlib.asynccontextmanager
    async def open(self, api: str) -> AsyncIterator[Sequence[CellLane]]:
        yield [self]

    async def run(self, cell: CellRun) -> None:
        lane = ThreadLane(self._thing)
        await cell.on_lane(lane, await lane.hello())
