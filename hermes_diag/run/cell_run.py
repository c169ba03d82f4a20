"""Runs one cell: provider, worker, barriers, samples. Records what was seen and judges nothing."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from types import ModuleType
from typing import Any, NoReturn

import psutil

from hermes_diag.core import pulse
from hermes_diag.core.errors import CannotMeasure, cure
from hermes_diag.core.evidence import Outcome
from hermes_diag.core.plan import FRESH, Cell
from hermes_diag.judge import planned
from hermes_diag.provider.extras import Extras
from hermes_diag.provider.server import Provider
from hermes_diag.provider.thread import ProviderThread
from hermes_diag.run import endings
from hermes_diag.run.capture import Recorder
from hermes_diag.run.endings import Died, Hung
from hermes_diag.run.endpoint import RemoteProvider
from hermes_diag.run.interpreter import Interpreter, Target
from hermes_diag.run.job import job_of, settings_of
from hermes_diag.run.lane import Gone, Lane
from hermes_diag.run.looks import Looks
from hermes_diag.run.origins import Origins
from hermes_diag.run.redacted import redacted
from hermes_diag.run.standstill import Standstills
from hermes_diag.run.thread_lane import ThreadLane
from hermes_diag.watch import process, snapshot
from hermes_diag.watch.snapshot import Moves, Snapshot
from hermes_diag.worker.contract import HERMES, Barrier, Done, Exited, Failed, Hello, Started, TurnDone

#: Seconds between two samples of the timeline.
TICK = 0.25
#: Seconds that a worker may be silent in addition to its own timeouts; and to end when it was told to.
PATIENCE, TO_END = 10.0, 2.0

Progress = Callable[[Cell, Any], None]


class CellRun:
    """One cell under observation. `payload` is the body to replay; `api` says where it goes."""

    def __init__(
        self,
        cell: Cell,
        api: str,
        payload: bytes,
        recorder: Recorder,
        progress: Progress,
        backend: ModuleType,
        thread: ProviderThread,
        endpoint: RemoteProvider | None = None,
    ) -> None:
        """endpoint: a real one in the place of a provider of our own."""
        self.cell = cell
        self._api = api
        self._payload = payload
        self._recorder = recorder
        self._progress = progress
        own = Provider(
            cell.idle_close, faults=filter(None, [cell.fault]), tls=cell.conditions.tls, proxy=cell.conditions.proxy
        )
        self._provider = endpoint or own
        self._extras = Extras(settings_of(cell), own) if endpoint is None else Extras(endpoint.job)
        self._looks = Looks(backend, self._provider)
        self._thread = thread
        self._pid = 0
        self._begun = 0.0
        self._moves = Moves()
        self._origins: Origins | None = None  # of a factory of the user's: which of its lines opened what is held

    async def on_lane(self, lane: Lane | ThreadLane, stack: Hello) -> None:
        """Run the cell as a job of a lane that has said hello."""
        self._begin(stack)
        await self._observed(self._job(lane))

    def _begin(self, stack: Hello) -> None:
        """Record the stack. Raises CannotMeasure when the cell needs what it does not have."""
        if self.cell.strategy == HERMES and not stack.hermes:
            raise CannotMeasure(
                "this Python has no hermes-agent",
                "name one that has with --python, or give a VERSION, of which an environment is made",
            )
        self._record(stack)

    async def in_new_interpreters(self, target: Target) -> None:
        """Run the cell in an interpreter of its own; the control has a new one for each turn."""
        await self._observed(self._interpreters(target))

    async def _interpreters(self, target: Target) -> None:
        interpreters = self.cell.sessions * self.cell.turns if self.cell.workload == FRESH else 1
        for turn in range(interpreters):
            async with Interpreter(target, spawn=True) as interpreter:
                stack = await interpreter.lanes[0].hello(self.cell.strategy == HERMES)
                if turn == 0:
                    self._begin(stack)
                await self._job(interpreter.lanes[0])

    async def _observed(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work while a provider and the ticker run; record how it ended."""
        with contextlib.ExitStack() as stack:
            stack.callback(work.close)  # also when the run is interrupted before the work has begun
            if self.cell.factory and process.LINUX:
                self._origins = stack.enter_context(Origins())
            await self._observe(work)

    async def _observe(self, work: Coroutine[Any, Any, None]) -> None:
        self._begun = self._provider.begun = time.monotonic()
        try:
            await self._start()
            outcome = await self._outcome(work)
        finally:  # also of a start that was interrupted: what it has made must go
            await self._thread.do(self._extras.stop())
            await self._thread.do(self._provider.stop())
        for record in (*sorted(self._provider.served, key=_turn_key), *self._provider.seen, *self._extras.measured()):
            self._record(record)
        lacking = planned.lacks(replace(self._recorder.evidence(), outcome=outcome))
        self._record(Outcome("died", lacking) if lacking else outcome)

    async def _start(self) -> None:
        try:
            await self._thread.do(self._provider.start())
            await self._thread.do(self._extras.start())
        except OSError as exc:
            raise CannotMeasure(
                f"no port on 127.0.0.1: {exc.strerror}", cure(exc, "free some ports and run again")
            ) from None

    async def _outcome(self, work: Coroutine[Any, Any, None]) -> Outcome:
        self._standstills = Standstills(TICK)
        ticker = asyncio.create_task(self._tick())
        try:
            await work
        except Died as exc:
            return Outcome("died", str(exc))
        except Hung as exc:
            return Outcome("hung", exc.args[0], exc.args[1])
        finally:
            ticker.cancel()
            await asyncio.wait([ticker])  # awaiting the ticker would replace an exception of the work
            self._see_standstills(over=True)
        return Outcome("done")

    async def _job(self, lane: Lane | ThreadLane) -> None:
        try:
            settings: dict[str, Any] = self._extras.job
            if self._origins and isinstance(lane, Lane):
                settings = {**settings, "record": self._origins.asked}
            job = job_of(self.cell, self._api, self._provider.base_url, settings)
            await lane.start(job, self._payload)
            await self._follow(lane)
        except Gone:
            raise Died("its interpreter was killed or ended by itself") from None
        except asyncio.CancelledError:  # interrupted: what the job writes must have an end before its folders have
            await self._free(lane, TO_END)
            raise
        except CannotMeasure as exc:
            await self._free(lane)
            raise Died(exc.message) from None
        except (psutil.Error, OSError) as exc:
            await self._free(lane)
            raise Died(f"it could not be looked at: {type(exc).__name__}") from None
        finally:
            self._pid = 0

    async def _follow(self, lane: Lane | ThreadLane) -> None:
        """Take events until the job's process has exited."""
        done = False
        failed: Exception | None = None
        while True:
            try:
                # Not wait_for: before Python 3.12 it loses a cancellation (Ctrl-C) that arrives together with an event.
                async with pulse.timeout(self._patience()):
                    event = await lane.event()
            except TimeoutError:
                await self._end_hung(lane)
            except Gone:
                if done and lane.spawn:
                    return
                if failed:
                    raise failed from None
                raise
            if isinstance(event, Started):
                self._pid = event.pid
            elif isinstance(event, Barrier):
                await self._barrier(event)
                await lane.go()
            elif isinstance(event, Done):
                done = True
            elif isinstance(event, Failed):
                failed = endings.of_failed(event, self.cell.factory, lane.environ)
            elif isinstance(event, Exited):
                if done:
                    return
                raise failed or endings.of_exit(event.code)
            else:
                self._record(replace(event, at=self._now()) if isinstance(event, TurnDone) else event)

    async def _end_hung(self, lane: Lane | ThreadLane) -> NoReturn:
        """End a job that hangs, so that its lane is free again, and raise Hung with its stacks.

        Raises Died when it gave no stack, as a stopped process does: then it is not known what hangs.
        """
        why = f"no word from the worker for {self._patience():.0f} s"
        stacks = await lane.stacks(self._pid) if self._pid else ()
        await self._free(lane)
        if not stacks:
            raise Died(f"{why}, and it gave no stack: it may have been stopped")
        raise Hung(why, stacks)

    async def _free(self, lane: Lane | ThreadLane, patience: float = PATIENCE) -> None:
        """End the job; read its events up to Exited, or the next job would get them. Without it the lane is gone."""
        if self._pid:
            lane.end(self._pid)
        try:
            async with pulse.timeout(patience):
                while not isinstance(await lane.event(), Exited):
                    pass
        except (Gone, CannotMeasure, TimeoutError):
            lane.gone = True

    def _patience(self) -> float:
        # The longest that one attempt may take without an event. The measurements wait half a second.
        return PATIENCE + 2 * self.cell.timeout + self.cell.pool_timeout  # connect, read, pool

    async def _barrier(self, barrier: Barrier) -> None:
        """Let the provider act, make sure on both sides that it did, then take the sample."""
        if barrier.label == "hold":
            await self._thread.do(self._provider.hold())
            return
        try:
            await self._thread.do(self._provider.settle())
            if barrier.label == "idle":
                await self._thread.do(self._provider.close_idle())
            async with pulse.timeout(PATIENCE):
                seen = await self._looks.after_fins(self._pid)
        except TimeoutError:
            raise CannotMeasure("the connections to the provider did not come to rest") from None
        self._sample(seen, 0.0, barrier.label, barrier.turns)
        if self._origins and barrier.label == "idle" and (opened := self._origins.seen(self._pid, seen)):
            self._record(opened)
        if barrier.label == "held":
            await self._thread.do(self._provider.release())

    async def _tick(self) -> None:
        """Samples for the timeline, at absolute times; a late one says how late it is."""
        due = time.monotonic()
        while True:
            due += TICK
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            late = time.monotonic() - due
            self._see_standstills()
            if self._pid:
                with contextlib.suppress(CannotMeasure, psutil.Error, OSError):
                    self._sample(self._looks.now(self._pid, tries=2), late, "tick", 0)
            due = max(due, time.monotonic() - TICK)

    def _see_standstills(self, over: bool = False) -> None:
        at = self._now()
        for one in (*self._standstills.look(self._pid, at), *(self._standstills.end(at) if over else ())):
            self._record(one)

    def _sample(self, seen: Snapshot, late: float, label: str, turns: int) -> None:
        at = self._now()
        self._record(replace(snapshot.sample(seen, self._pid, at, late, label, turns), posts=self._provider.posts))
        if moved := self._moves.since(seen, at):
            self._record(moved)

    def _now(self) -> float:
        """Seconds since the cell began."""
        return round(time.monotonic() - self._begun, 4)

    def _record(self, record: Any) -> None:
        record = redacted(record)
        self._recorder.add(record)
        self._progress(self.cell, record)


def _turn_key(served: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in served.turn.split("/") if part.isdecimal() and len(part) < 10)
