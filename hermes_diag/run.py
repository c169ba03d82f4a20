"""Runs a plan: two lanes, the longest cells first, one capture."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hermes_diag.capture import Capture, Recorder
from hermes_diag.errors import CannotMeasure
from hermes_diag.gateway.contract import Hello
from hermes_diag.interpreter import Lane
from hermes_diag.model import Cell, Evidence, Plan
from hermes_diag.plan import cost
from hermes_diag.session import Session

#: Cells that run at the same time. Each has its process, its provider and its port.
LANES = 2


class Run:
    """A plan under way. `evidence()` may be asked at any time, also after an interruption."""

    def __init__(
        self,
        plan: Plan,
        payload: bytes,
        python: str,
        capture: Capture | None = None,
        progress: Callable[[Cell, Any], None] = lambda cell, record: None,
    ) -> None:
        self._plan = plan
        self._payload = payload
        self._python = python
        self._progress = progress
        self._recorders = {cell: Recorder(cell, capture) for cell in plan.cells}
        self._waiting = sorted(plan.cells, key=cost)

    async def run(self) -> None:
        """Run every cell. Raises CannotMeasure when there is no SDK or no port."""
        async with asyncio.TaskGroup() as group:
            for _ in range(min(LANES, len(self._waiting))):
                group.create_task(self._lane())

    async def _lane(self) -> None:
        while self._waiting:
            async with Lane(self._python) as lane:
                stack = await lane.hello()
                while self._waiting:
                    evidence = await self._cell(self._waiting.pop(), lane, stack)
                    if evidence.outcome.how != "done":
                        break  # the lane may be broken with its job: take a new one

    async def _cell(self, cell: Cell, lane: Lane, stack: Hello) -> Evidence:
        session = Session(cell, self._plan.payload.api, self._payload, self._recorders[cell], self._progress)
        return await session.run(lane, stack)

    def evidence(self) -> list[Evidence]:
        """What has been seen so far of every cell of the plan, in its order."""
        return [recorder.evidence() for recorder in self._recorders.values()]


def run(run_: Run) -> None:
    """Run to the end, with the errors of a task group unwrapped to the first of them."""
    try:
        asyncio.run(run_.run())
    except* CannotMeasure as group:
        raise _first(group) from None


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
