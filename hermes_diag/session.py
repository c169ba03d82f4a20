"""Runs one cell: provider, worker, barriers, samples. Returns what was seen, judges nothing."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import psutil

from hermes_diag.capture import Recorder
from hermes_diag.errors import CannotMeasure
from hermes_diag.gateway.contract import Barrier, Done, Exited, Failed, Hello, Job, Started
from hermes_diag.interpreter import Gone, Lane
from hermes_diag.model import FRESH, Cell, Evidence, Outcome
from hermes_diag.plan import BARRIERS
from hermes_diag.provider.server import Provider
from hermes_diag.sampling.look import look

#: Seconds between two samples of the timeline.
TICK = 0.25
#: Seconds that a worker may be silent beyond what its own timeouts explain.
PATIENCE = 10.0

Progress = Callable[[Cell, Any], None]


class Died(Exception):
    """The worker ended before its job did."""


class Hung(Exception):
    """The worker was silent for longer than its own timeouts allow."""


class Session:
    """One cell under observation. `payload` is the body to replay; `api` says where it goes."""

    def __init__(self, cell: Cell, api: str, payload: bytes, recorder: Recorder, progress: Progress) -> None:
        self._cell = cell
        self._api = api
        self._payload = payload
        self._recorder = recorder
        self._progress = progress
        self._provider = Provider(cell.idle_close)
        self._pid = 0
        self._begun = 0.0

    async def run(self, lane: Lane, stack: Hello) -> Evidence:
        """Run the cell on a lane that has said hello, or for the control on new interpreters."""
        self._begun = time.monotonic()
        self._record(stack)
        try:
            await self._provider.start()
        except OSError as exc:
            raise CannotMeasure(f"no port on 127.0.0.1: {exc.strerror}", "free some ports and run again") from None
        try:
            if self._cell.workload == FRESH:
                await self._fresh(lane.python)
            else:
                await self._job(lane)
            outcome = Outcome("done")
        except Died as exc:
            outcome = Outcome("died", str(exc))
        except Hung as exc:
            outcome = Outcome("hung", str(exc), await lane.stacks(self._pid))
            lane.kill()
        finally:
            await self._provider.stop()
        for record in (*sorted(self._provider.served, key=_turn_key), *self._provider.seen):
            self._record(record)
        self._record(outcome)
        return self._recorder.evidence()

    async def _fresh(self, python: str) -> None:
        """The control: each turn in an interpreter of its own, started for it."""
        for _ in range(self._cell.sessions * self._cell.turns):
            async with Lane(python, spawn=True) as shell:
                await shell.hello()
                await self._job(shell)

    async def _job(self, lane: Lane) -> None:
        try:
            await lane.start(self._as_job(), self._payload)
            ticker = asyncio.create_task(self._tick())
            try:
                await self._follow(lane)
            finally:
                ticker.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await ticker
        except Gone:
            raise Died("its interpreter was killed or ended by itself") from None

    def _as_job(self) -> Job:
        cell, fresh = self._cell, self._cell.workload == FRESH
        return Job(
            cell=cell.name,
            strategy=cell.strategy,
            release=cell.release,
            workload="steady" if fresh else cell.workload,
            sessions=1 if fresh else cell.sessions,
            turns=1 if fresh else cell.turns,
            scope=cell.scope,
            retries=cell.retries,
            timeout=cell.timeout,
            seed=cell.seed,
            barriers=BARRIERS,
            api=self._api,
            base_url=self._provider.base_url,
        )

    async def _follow(self, lane: Lane) -> None:
        """Take events until the job's process has exited."""
        done = False
        while True:
            try:
                event = await asyncio.wait_for(lane.event(), self._patience())
            except TimeoutError:
                raise Hung(f"no word from the worker for {self._patience():.0f} s") from None
            except Gone:
                if done and lane.spawn:
                    return
                raise
            if isinstance(event, Started):
                self._pid = event.pid
            elif isinstance(event, Barrier):
                await self._barrier(event)
                await lane.go()
            elif isinstance(event, Done):
                done = True
            elif isinstance(event, Failed):
                raise Died(f"the worker broke: {event.error} at {', '.join(event.frames)}")
            elif isinstance(event, Exited):
                if done:
                    return
                raise Died(f"its process ended with {_exit_words(event.code)}")
            else:
                self._record(event)

    def _patience(self) -> float:
        # The longest that one attempt may take without a word: connect, pool and read each have
        # the request timeout. The measurements wait half a second on purpose.
        return PATIENCE + 3 * self._cell.timeout

    async def _barrier(self, barrier: Barrier) -> None:
        """Let the provider act, see that it did, look."""
        try:
            await self._provider.settle()
            if barrier.label == "idle":
                await self._provider.close_idle()
        except TimeoutError:
            raise CannotMeasure(f"{self._cell.name}: the provider's connections did not come to rest") from None
        self._sample(0.0, barrier.label, barrier.turns)
        if barrier.label == "held":
            self._provider.release()

    async def _tick(self) -> None:
        """Samples for the timeline, at absolute times; a late one says how late it is."""
        due = time.monotonic()
        while True:
            due += TICK
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            late = time.monotonic() - due
            if self._pid:
                with contextlib.suppress(psutil.Error):
                    self._sample(late, "tick", 0)
            due = max(due, time.monotonic() - TICK)

    def _sample(self, late: float, label: str, turns: int) -> None:
        at = time.monotonic() - self._begun
        self._record(look(self._pid, self._provider.address, at, late, label, turns))

    def _record(self, record: Any) -> None:
        self._recorder.add(record)
        self._progress(self._cell, record)


def _turn_key(served: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in served.turn.split("/") if part.isdigit())


def _exit_words(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


