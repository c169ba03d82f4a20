"""Runs the cells of a plan: the control first, then the longest ones."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

from hermes_diag.core import interrupts
from hermes_diag.core.errors import CannotMeasure
from hermes_diag.core.evidence import Evidence, Outcome, Repeated
from hermes_diag.core.interrupts import Interrupts
from hermes_diag.core.matrix import cost
from hermes_diag.core.plan import FRESH, Cell, Plan
from hermes_diag.judge import standstill
from hermes_diag.provider.thread import ProviderThread
from hermes_diag.run.capture import Capture, Recorder
from hermes_diag.run.cell_run import CellRun
from hermes_diag.run.endpoint import Endpoint, RemoteProvider, requests
from hermes_diag.run.lanes import CellLane, Source
from hermes_diag.watch import snapshot, tables
from hermes_diag.worker.contract import HERMES

#: How often a cell that stood still is run once more.
AGAIN = 2


class Runner:
    """A plan under way. `evidence()` may be asked at any time, also after an interruption."""

    def __init__(
        self,
        plan: Plan,
        payloads: Sequence[bytes],
        source: Source,
        capture: Capture | None = None,
        progress: Callable[[Cell, Any], None] = lambda cell, record: None,
        backend: str = "auto",
        endpoint: Endpoint | None = None,
    ) -> None:
        """payloads: what the worker is sent of each of the plan's payloads, in its order. source: where cells run.
        endpoint: a real one, with its addresses, in the place of providers of our own. After a fresh process
        that it did not answer nothing else is sent to it."""
        self._plan = plan
        self._payloads = {info.source: (info.api, wire) for info, wire in zip(plan.payloads, payloads, strict=True)}
        self._source = source
        self._progress = progress
        self._backend, _, _ = tables.pick(os.getpid(), backend)
        self._endpoint = endpoint
        self._recorders = {cell: Recorder(cell, capture) for cell in plan.cells}
        # While an interpreter imports the SDK nothing can run in it: time for the control, which has its own.
        self._waiting = sorted(plan.cells, key=lambda cell: (cell.workload != FRESH, -cost(cell)))

    async def run(self) -> None:
        """Run every cell. Raises CannotMeasure when there is no SDK, no port, too low an fd limit, or when the
        backend does not see sockets."""
        with _fd_limit(max(map(_descriptors, self._plan.cells))):
            snapshot.see(self._backend)
            with ProviderThread() as self._thread:
                try:
                    async with self._source.open(self._plan.payload.api) as lanes, asyncio.TaskGroup() as group:
                        for lane in lanes:
                            group.create_task(self._work(lane))
                except BaseExceptionGroup as group:
                    raise _first(group) from None

    async def _work(self, lane: CellLane) -> None:
        unanswered = False
        while self._waiting and not lane.gone:
            cell = self._waiting.pop(0)
            if unanswered and cell.workload != FRESH:
                self._recorders[cell].add(Outcome("cut", "not begun: the fresh process was not answered"))
                continue
            await self._run(cell, lane)
            if self._endpoint is not None and cell.workload == FRESH:
                turns = self._recorders[cell].evidence().turns
                unanswered = unanswered or all(turn.outcome == "error" for turn in turns)

    async def _run(self, cell: Cell, lane: CellLane) -> None:
        """One cell; once more when it stood still and what was seen of it counts for nothing, and not for ever."""
        recorder = self._recorders[cell]
        again = AGAIN if self._endpoint is None else 0  # a real one is not sent more than was said
        await lane.run(self._cell_run(cell))
        while why := standstill.spoilt(seen := recorder.evidence()):
            recorder.add(Repeated(why))
            if not again or lane.gone:
                for record in filter(None, (seen.stack, Outcome("died", why))):
                    recorder.add(record)
                return
            again -= 1
            self._progress(cell, Repeated(why))
            await lane.run(self._cell_run(cell))

    def _cell_run(self, cell: Cell) -> CellRun:
        api, payload = self._payloads[cell.payload or self._plan.payload.source]
        remote = RemoteProvider(self._endpoint, requests(cell)) if self._endpoint is not None else None
        recorder = self._recorders[cell]
        return CellRun(cell, api, payload, recorder, self._progress, self._backend, self._thread, remote)

    def evidence(self) -> list[Evidence]:
        """What has been seen so far of every cell of the plan, in its order."""
        return [recorder.evidence() for recorder in self._recorders.values()]


def _descriptors(cell: Cell) -> int:
    """File descriptors that a cell may need at most on either side: one for each attempt where nobody closes, else
    one for each session; and some for Python. Hermes, which retries by itself, may leave two a turn."""
    attempts = cell.turns * (cell.retries + 1) if cell.end == "abandon" else 1
    if cell.strategy == HERMES:
        attempts = 2 * cell.turns
    return cell.sessions * attempts + 64


@contextlib.contextmanager
def _fd_limit(need: int) -> Iterator[None]:
    """Within, the soft limit is as high as needed: a leak of 100 sockets must not end as "too many open files".

    Workers inherit it. Raises CannotMeasure when the hard limit is too low.
    """
    need = 2 * need  # this process has the provider's side of two cells, or both sides of one
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= need:
        yield
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
    except (ValueError, OSError):
        raise CannotMeasure(
            f"this plan needs {need} file descriptors, the limit is {soft} (hard limit {hard})",
            f"raise the limit (as root: `ulimit -n {need}`), or run fewer sessions, turns or workloads",
        ) from None
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def finish(runner: Runner) -> bool:
    """Run to the end; False when the user interrupted it. Later interrupts are then ignored: the caller is about to
    print what was measured."""
    return interrupts.run(lambda: _until_interrupted(runner.run()))


async def _until_interrupted(work: Coroutine[Any, Any, None]) -> bool:
    """asyncio would raise KeyboardInterrupt at a second Ctrl-C, at any line, even while the run cleans up."""
    task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()
    with Interrupts(lambda number: loop.call_soon_threadsafe(task.cancel), deaf=True) as interrupts:
        try:
            await task
        except asyncio.CancelledError:
            if not interrupts.number:
                raise
            return False
    return True


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
