"""A lane: jobs that one process of a worker runs one after the other, and what it says meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from hermes_diag.core import bounds, pulse
from hermes_diag.core.errors import CannotMeasure
from hermes_diag.core.facts import FACTS
from hermes_diag.run import blame, pythons
from hermes_diag.worker import contract
from hermes_diag.worker.contract import Fact, Failed, Hello, Job, Unfit

#: Bytes of one event at most; and of all events of a job, for each of its attempts and beside them.
LONGEST, EACH, BESIDE = 1 << 22, 1 << 13, 1 << 24
#: Seconds an interpreter may take from its start to its hello.
START_PATIENCE = 60.0

_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+),? in (?P<name>\S+)')
_THREAD = re.compile(r"^(Current thread|Thread) 0x")


class Gone(Exception):
    """A lane closed its end: it has exited or was killed."""


class NoEvent(CannotMeasure):
    """What a worker wrote is no event, or too much."""


class _Named(msgspec.Struct):
    """What an event is. name, value: of a fact."""

    event: str
    name: Any = ""
    value: msgspec.Raw = msgspec.Raw(b"null")


_NAMED = msgspec.json.Decoder(_Named)


def event_of(line: bytes) -> Any:
    """An event that a worker wrote, checked against the contract and within bounds. Raises NoEvent.

    It may be another program than ours that wrote it: whatever has the name of a Python.
    """
    try:
        named = _NAMED.decode(line)
        kind = contract.EVENTS[named.event]
        if kind is Fact:
            return Fact(named.name, bounds.decoded(FACTS[named.name], named.value, exact=True))
        return bounds.decoded(kind, line)
    except (*bounds.NOT_OF_ITS_TYPE, KeyError, TypeError) as exc:
        raise NoEvent(f"the worker wrote something that is no event: {type(exc).__name__}") from None


class Pipes:
    """A lane's two connections; `theirs` are the worker's ends: commands and events, stderr."""

    def __init__(self) -> None:
        self.talk, talk = socket.socketpair()
        self.stderr, stderr = os.pipe()
        self.theirs = (talk.detach(), stderr)

    def close_ours(self) -> None:
        self.talk.close()
        os.close(self.stderr)


class Lane:
    """Jobs that a worker process runs one after the other."""

    def __init__(
        self,
        python: str,
        spawn: bool,
        interpreter: asyncio.subprocess.Process,
        events: asyncio.StreamReader,
        commands: asyncio.StreamWriter,
    ) -> None:
        self.python = python
        self.interpreter = interpreter
        self.environ: Mapping[str, str] = os.environ  # of the interpreter
        # The interpreter's first lane: its pipe has what the interpreter itself wrote to stderr before it forked them.
        self.first = self
        self.spawn = spawn  # the process ends with its first job
        self.gone = False
        self._events = events
        self._commands = commands
        self._errors = asyncio.StreamReader()
        self._stderr: deque[str] = deque(maxlen=400)
        self._last: str | None = None
        self._room = BESIDE

    @classmethod
    async def open(cls, python: str, spawn: bool, pipes: Pipes, interpreter: asyncio.subprocess.Process) -> Lane:
        """A lane on our ends of the pipes."""
        lane = cls(python, spawn, interpreter, *await asyncio.open_unix_connection(sock=pipes.talk, limit=LONGEST))
        lane._stderr_pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lane._errors), os.fdopen(pipes.stderr, "rb", 0)
        )
        lane._drain = asyncio.create_task(lane._read_stderr())
        return lane

    _stderr_pipe: asyncio.ReadTransport
    _drain: asyncio.Task[None]

    def close(self) -> None:
        """Close our ends."""
        self._drain.cancel()
        self._stderr_pipe.close()
        self._commands.transport.abort()

    async def hello(self, hermes: bool = False) -> Hello:
        """The stack that this interpreter has. hermes: it is to be Hermes Agent's. Raises CannotMeasure when it has
        none."""
        install = pythons.install(self.python, hermes)
        try:
            async with pulse.timeout(START_PATIENCE):
                event = await self.event()
        except Gone:
            raise await self._ended(install) from None
        except NoEvent as exc:
            raise CannotMeasure(
                f"{self.python} does not run the worker: {exc.message}", f"name a Python that has the SDK: {install}"
            ) from None
        except TimeoutError:
            raise CannotMeasure(
                f"{self.python} was silent for {START_PATIENCE:.0f} s after its start",
                f"is it a Python? Give one that can `import openai`: {install}",
            ) from None
        if isinstance(event, Failed):
            why = blame.of_failure(event.error, self.environ)
            raise CannotMeasure(f"{self.python} cannot import the SDK: {event.error}", why or install)
        if isinstance(event, Unfit):
            raise CannotMeasure(
                f"{self.python} has {event.what} {event.found}, the worker needs {event.least} or newer",
                pythons.newer(event.least) if event.what == "Python" else install,
            )
        assert isinstance(event, Hello)
        if event.protocol != contract.PROTOCOL:
            raise CannotMeasure(f"{self.python} runs another release of the worker", "reinstall hermes-diag")
        return event

    async def _ended(self, install: str) -> CannotMeasure:
        """Why an interpreter said nothing."""
        code: int | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):  # of a lane that was killed the interpreter may still be there
                code = await self.interpreter.wait()
        await asyncio.wait([self.first._drain], timeout=0.2)  # what it wrote to stderr
        how, cure = blame.of_end(code, self.first._stderr, self.environ)
        shows = f"is it a Python >= 3.9? `{self.python} -c 'import openai'` shows why; if the SDK is missing: {install}"
        return CannotMeasure(f"{self.python} {how}", cure or shows)

    async def start(self, job: Job, payload: bytes) -> None:
        """Hand over a job and the body it replays."""
        self._room = BESIDE + EACH * max(1, job.sessions) * job.turns * (job.retries + 1)
        await self._write(json.dumps({**asdict(job), "payload_bytes": len(payload)}).encode() + b"\n" + payload)

    async def go(self) -> None:
        """Let the worker go on after a barrier."""
        await self._write(contract.GO.encode() + b"\n")

    async def _write(self, data: bytes) -> None:
        if self._commands.is_closing():
            raise Gone
        try:
            self._commands.write(data)
            await self._commands.drain()
        except ConnectionError:
            raise Gone from None

    async def event(self) -> Any:
        """The next event, checked against the contract. Raises Gone at the end of the stream, NoEvent."""
        try:
            line = await self._events.readline()
        except ConnectionError:  # killed with a command unread
            line = b""
        except ValueError:
            raise NoEvent(f"the worker wrote more than {LONGEST:,} bytes without the end of a line") from None
        if not line.endswith(b"\n"):
            self.gone = True
            raise Gone
        self._room -= len(line)
        if self._room < 0:
            raise NoEvent("the worker wrote more than any job does")
        event = event_of(line)
        name = contract.NAMES[type(event)]
        if name not in contract.FOLLOWS[self._last]:
            raise NoEvent(f"the worker said {name!r} after {self._last!r}")
        self._last = name
        return event

    async def stacks(self, pid: int) -> tuple[str, ...]:
        """Ask the job of this lane for the stacks of all its threads, innermost frame first."""
        self._stderr.clear()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)
        for _ in range(100):  # faulthandler writes at once; up to a second on a machine that swaps
            await asyncio.sleep(0.01)
            if any("most recent call first" in line for line in self._stderr):
                await asyncio.sleep(0.05)
                break
        return frames(self._stderr)

    def end(self, pid: int) -> None:
        """Kill a job that hangs; the lane goes on."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    async def _read_stderr(self) -> None:
        while True:
            try:
                line = await self._errors.readline()
            except ValueError:  # a line longer than the buffer; libraries print megabytes
                continue
            if not line:
                return
            self._stderr.append(line[:2000].decode("utf-8", "replace"))


def frames(lines: Iterable[str]) -> tuple[str, ...]:
    """`file:line function` and thread heads of a faulthandler dump; other text may quote data.

    The thread in which the worker listens to its host is left out: it always waits.
    """
    threads: list[list[str]] = []
    for line in lines:
        if _THREAD.match(line):
            threads.append(["thread"])
        elif (match := _FRAME.match(line)) and threads:
            threads[-1].append(f"{short_path(match['file'])}:{match['line']} {match['name']}")
    return tuple(frame for thread in threads if not any(map(_listens, thread)) for frame in thread)


def _listens(frame: str) -> bool:
    return frame.startswith("worker/channel.py") and frame.endswith(" _listen")


def short_path(path: str) -> str:
    """A source path without the user's folders: what follows site-packages or is in our package."""
    for mark in ("/site-packages/", "/hermes_diag/"):
        if mark in path:
            return path.rpartition(mark)[2]
    return "/".join(path.split("/")[-2:])
