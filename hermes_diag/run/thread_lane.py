"""A lane in this process: the replay loop in a thread, for a factory that no other process can import.

The sockets are real and are read from the same table, but threads and descriptors of the rest of this process are
counted with them, and a client that hangs cannot be ended: its thread stays.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import queue
import sys
import threading
import traceback
from functools import cache
from types import ModuleType
from typing import Any

import msgspec

from hermes_diag.run.lane import short_path
from hermes_diag.worker import contract
from hermes_diag.worker.__main__ import PACKAGE, load_package
from hermes_diag.worker.contract import GO, Barrier, Done, Exited, Hello, Job, Started


class ThreadLane:
    """The same methods as lane.Lane. Runs one job after the other; `thing` is the factory, pool or client."""

    spawn = False
    gone = False
    environ = os.environ

    def __init__(self, thing: Any) -> None:
        self._thing = thing
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Any] = asyncio.Queue()
        self._thread: threading.Thread | None = None
        self._channel: _ThreadChannel | None = None

    async def hello(self) -> Hello:
        """The stack of this process."""
        return Hello(protocol=contract.PROTOCOL, **_worker("sdk").stack())

    async def start(self, job: Job, payload: bytes) -> None:
        """Run a job in a thread of its own."""
        self._channel = channel = _ThreadChannel(self._thing, self._take)
        self._thread = threading.Thread(target=_run, args=(job, json.loads(payload), channel), daemon=True)
        self._thread.start()

    def _take(self, event: Any) -> None:
        """From any thread: an event of our contract module, or of the worker's copy of it."""
        fields = contract.to_line(event) if type(event) in contract.NAMES else _worker("contract").to_line(event)
        kind = contract.EVENTS[fields.pop("event")]
        self._loop.call_soon_threadsafe(self._events.put_nowait, msgspec.convert(msgspec.to_builtins(fields), kind))

    async def event(self) -> Any:
        """The next event of the job."""
        return await self._events.get()

    async def go(self) -> None:
        """Open the barrier at which the job stands."""
        assert self._channel is not None
        self._channel.opened.put(GO)

    async def stacks(self, pid: int) -> tuple[str, ...]:
        """Frames of the job's thread, innermost first."""
        frame = sys._current_frames().get(self._thread.ident or 0) if self._thread else None
        stack = reversed(traceback.extract_stack(frame)) if frame else ()
        return tuple(f"{short_path(one.filename)}:{one.lineno} {one.name}" for one in stack)

    def end(self, pid: int) -> None:
        """A thread cannot be killed: from now on nobody waits for it."""
        self._events.put_nowait(Exited(3))


class _ThreadChannel:
    """The worker's end of the conversation (worker/channel.py), without a descriptor."""

    def __init__(self, thing: Any, take: Any) -> None:
        self.thing = thing
        self.send = take
        self.opened: queue.SimpleQueue[str] = queue.SimpleQueue()

    def give_up(self, failed: Any) -> None:
        """The user's code hangs: the host is told, and the thread stays."""
        self.send(failed)
        self.send(Exited(3))

    def barrier(self, label: Any, turns: int) -> None:
        self.send(Barrier(label, turns))
        self.opened.get()


def _run(job: Job, payload: dict[str, Any], channel: _ThreadChannel) -> None:
    replay, supervised, worker = _worker("replay"), _worker("supervised"), _worker("lanes")
    channel.send(Started(os.getpid()))
    try:
        replay.run(job, payload, _worker("sdk"), channel)
        channel.send(Done())
    except supervised.Broken as exc:
        channel.send(exc.failed)
    except Exception as exc:
        channel.send(worker._failed(exc))
    _worker("event_loop").stop()
    channel.send(Exited(0))


@cache
def _worker(name: str) -> ModuleType:
    """A module of the worker, under the private name that it has in its own process."""
    if PACKAGE not in sys.modules:
        load_package()  # type: ignore[no-untyped-call]  # plain Python 3.9
    return importlib.import_module(f"{PACKAGE}.{name}")
