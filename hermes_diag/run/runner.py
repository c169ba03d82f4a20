"""Runs a plan: two lanes, the longest cells first, one capture."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

from hermes_diag.core.errors import CannotMeasure
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.matrix import cost
from hermes_diag.core.plan import FRESH, Cell, Plan
from hermes_diag.provider import replies
from hermes_diag.provider.thread import ProviderThread
from hermes_diag.run.capture import Capture, Recorder
from hermes_diag.run.cell_run import CellRun
from hermes_diag.run.interpreter import Interpreter, Lane, Target
from hermes_diag.run.live import LiveRun
from hermes_diag.watch import snapshot, tables
from hermes_diag.worker.contract import HERMES

#: Cells that run at the same time. Each has its process, its provider and its port.
LANES = 2


class Run:
    """A plan under way. `evidence()` may be asked at any time, also after an interruption."""

    def __init__(
        self,
        plan: Plan,
        payload: bytes,
        target: Target,
        capture: Capture | None = None,
        progress: Callable[[Cell, Any], None] = lambda cell, record: None,
        backend: str = "auto",
        start: str = "auto",
        further: Sequence[bytes] = (),
    ) -> None:
        """payload, further: the bodies of the plan's payloads, in its order."""
        self._plan = plan
        self._payloads = {
            info.source: (info.api, wire) for info, wire in zip(plan.payloads, (payload, *further), strict=True)
        }
        self._target = target
        self._progress = progress
        self._backend, _, _ = tables.pick(os.getpid(), backend)
        # Elsewhere frameworks of the system may not survive a fork (multiprocessing spawns there too).
        self._forks = start == "fork" or (start == "auto" and sys.platform.startswith("linux"))
        self._recorders = {cell: Recorder(cell, capture) for cell in plan.cells}
        self._waiting = sorted(plan.cells, key=cost)

    async def run(self) -> None:
        """Run every cell. Raises CannotMeasure when there is no SDK, no port or too low an fd limit."""
        _raise_fd_limit(max(map(_descriptors, self._plan.cells)))
        snapshot.see(self._backend)
        with ProviderThread() as self._thread:
            try:
                await self._all()
            except BaseExceptionGroup as group:
                raise _first(group) from None

    async def _all(self) -> None:
        if not self._forks:
            async with asyncio.TaskGroup() as group:
                for _ in range(LANES):
                    group.create_task(self._work_in_new_interpreters())
            return
        api = self._plan.payload.api
        warm = api, b"".join(replies.stream(api, "gpt-5"))
        async with Interpreter(self._target, LANES, warm=warm) as worker, asyncio.TaskGroup() as group:
            for lane in worker.lanes:
                group.create_task(self._work(lane))

    async def _work(self, lane: Lane) -> None:
        # While the worker imports the SDK there is nothing to run on it: time for the control,
        # which has interpreters of its own.
        while cell := next((one for one in self._waiting if one.workload == FRESH), None):
            self._waiting.remove(cell)
            await self._session(cell).in_new_interpreters(self._target)
        stack = await lane.hello()
        while self._waiting and not lane.gone:
            await self._session(self._waiting.pop()).on_lane(lane, stack)

    async def _work_in_new_interpreters(self) -> None:
        while self._waiting:
            await self._session(self._waiting.pop()).in_new_interpreters(self._target)

    def _session(self, cell: Cell) -> CellRun:
        api, payload = self._payloads[cell.payload or self._plan.payload.source]
        recorder = self._recorders[cell]
        return CellRun(cell, api, payload, recorder, self._progress, self._backend, self._thread)

    def evidence(self) -> list[Evidence]:
        """What has been seen so far of every cell of the plan, in its order."""
        return [recorder.evidence() for recorder in self._recorders.values()]


def _descriptors(cell: Cell) -> int:
    """File descriptors that a cell may need at most, on either side: where nobody closes one for each
    attempt, else one for each session; and some for Python. Hermes may leave two a turn, and retries itself."""
    attempts = cell.turns * (cell.retries + 1) if cell.end == "abandon" else 1
    if cell.strategy == HERMES:
        attempts = 2 * cell.turns
    return cell.sessions * attempts + 64


def _raise_fd_limit(need: int) -> None:
    """A leak of 100 sockets must not end as "too many open files": raise the soft limit if allowed.

    The worker inherits it. Raises CannotMeasure when the hard limit is in the way.
    """
    need = LANES * need  # the provider's side of all lanes is in this process
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < need:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
        except (ValueError, OSError):
            raise CannotMeasure(
                f"this plan needs {need} file descriptors, the limit is {soft} (hard limit {hard})",
                f"run `ulimit -n {need}` first, or plan fewer sessions, turns or workloads",
            ) from None


def finish(run_: Run | LiveRun) -> bool:
    """Run to the end; False when the user interrupted it. Further interrupts are not heard then: what was learnt
    is being told."""
    return asyncio.run(_until_interrupted(run_.run()))


async def _until_interrupted(work: Coroutine[Any, Any, None]) -> bool:
    task, interrupted = asyncio.ensure_future(work), asyncio.Event()
    with _heard(interrupted, task.cancel):
        try:
            await task
        except asyncio.CancelledError:
            if not interrupted.is_set():
                raise
            return False
    return True


@contextlib.contextmanager
def _heard(interrupted: asyncio.Event, stop: Callable[[], object]) -> Iterator[None]:
    """Stop at the first SIGINT or SIGTERM. As a KeyboardInterrupt, which asyncio makes of the second one, it would
    come anywhere, in the middle of an end too."""

    def hear() -> None:
        if not interrupted.is_set():
            interrupted.set()
            stop()

    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    try:
        for number in before:
            loop.add_signal_handler(number, hear)
    except (RuntimeError, ValueError):  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN if interrupted.is_set() else handler)


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
