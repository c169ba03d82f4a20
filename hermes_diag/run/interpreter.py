"""The Python that runs the worker: started by path, sent its jobs, read, and killed at the end."""

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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from hermes_diag.core.errors import CannotMeasure
from hermes_diag.core.leaves import WORKER
from hermes_diag.run import pythons
from hermes_diag.worker import contract
from hermes_diag.worker.contract import Failed, Hello, Job, Unfit

#: Seconds an interpreter may take from its start to its hello.
START_PATIENCE = 60.0

_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+),? in (?P<name>\S+)')
_THREAD = re.compile(r"^(Current thread|Thread) 0x")


@dataclass(frozen=True)
class Target:
    """The interpreter to run the worker in, its working folder (None: ours), and the variables that its environment has
    in addition to ours."""

    python: str
    cwd: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Gone(Exception):
    """A lane closed its end: it has exited or was killed."""


class Interpreter:
    """A worker process with its lanes. Async context manager: leaving it kills all of them.

    target: where to run it. lanes: how many jobs may run at the same time. spawn: no
    fork, one lane, one job. warm: (api, canned reply) that the SDK parses before the first fork.
    """

    def __init__(self, target: Target, lanes: int = 1, spawn: bool = False, warm: tuple[str, bytes] | None = None):
        self._target = target
        self._python = target.python
        self._spawn = spawn
        self._warm = warm
        self._pipes = [_Pipes() for _ in range(lanes)]
        self.lanes: list[Lane] = []

    async def __aenter__(self) -> Interpreter:
        theirs = [fd for pipes in self._pipes for fd in pipes.theirs]
        options = [f"--lane={','.join(map(str, pipes.theirs))}" for pipes in self._pipes]
        try:
            self._process = await asyncio.create_subprocess_exec(
                self._python,
                "-B",
                str(WORKER),
                f"--host={os.getpid()}",
                *options,
                *(["--spawn"] if self._spawn else []),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=self._pipes[0].theirs[1],
                pass_fds=theirs,
                cwd=self._target.cwd,
                env={**worker_environment(os.environ), **self._target.environment},
                start_new_session=True,  # Ctrl-C on the terminal is for the host; and one kill ends all
            )
        except (OSError, ValueError) as exc:  # ValueError: a null byte in the name
            for pipes in self._pipes:
                pipes.close_ours()
            raise CannotMeasure(
                f"cannot start {self._python or '(no name)'}: {getattr(exc, 'strerror', None) or exc}",
                "name a Python 3.9 or newer, or the folder of its virtualenv",
            ) from None
        finally:
            for fd in theirs:
                os.close(fd)
        await self._open_lanes()
        if self._warm is not None:
            api, reply = self._warm
            assert self._process.stdin is not None
            order = json.dumps({"warm": api, "payload_bytes": len(reply)}).encode()
            self._process.stdin.write(order + b"\n" + reply)
        return self

    async def _open_lanes(self) -> None:
        try:
            for pipes in self._pipes:
                self.lanes.append(await Lane.open(self._python, self._spawn, pipes))
        except BaseException:  # interrupted
            await self.__aexit__()
            raise

    async def __aexit__(self, *exc_info: object) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for lane in self.lanes:
            lane.close()
        ended = asyncio.ensure_future(self._process.wait())
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:  # it has been killed: to wait for it takes no time, and leaves nothing open
            await ended
            raise


class _Pipes:
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

    def __init__(self, python: str, spawn: bool, events: asyncio.StreamReader, commands: asyncio.StreamWriter) -> None:
        self.python = python
        self.spawn = spawn  # the process ends with its first job
        self.gone = False
        self._events = events
        self._commands = commands
        self._errors = asyncio.StreamReader()
        self._stderr: deque[str] = deque(maxlen=400)
        self._last: str | None = None

    @classmethod
    async def open(cls, python: str, spawn: bool, pipes: _Pipes) -> Lane:
        """A lane on our ends of the pipes."""
        lane = cls(python, spawn, *await asyncio.open_unix_connection(sock=pipes.talk, limit=1 << 24))
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

    async def hello(self) -> Hello:
        """The stack that this interpreter has. Raises CannotMeasure when it has none."""
        try:
            async with asyncio.timeout(START_PATIENCE):
                event = await self.event()
        except Gone:
            raise CannotMeasure(
                f"{self.python} ended before it could say what SDK it has",
                f"is it a Python >= 3.9? `{self.python} -c 'import openai'` shows why; if the SDK is missing: "
                + pythons.install(self.python),
            ) from None
        except TimeoutError:
            raise CannotMeasure(
                f"{self.python} was silent for {START_PATIENCE:.0f} s after its start",
                "is it a Python? Give one that can `import openai`: " + pythons.install(self.python),
            ) from None
        if isinstance(event, Failed):
            raise CannotMeasure(
                f"{self.python} cannot import the SDK: {event.error}",
                pythons.install(self.python),
            )
        if isinstance(event, Unfit):
            raise CannotMeasure(
                f"{self.python} has {event.what} {event.found}, the worker needs {event.least} or newer",
                pythons.newer(event.least) if event.what == "Python" else pythons.install(self.python),
            )
        assert isinstance(event, Hello)
        if event.protocol != contract.PROTOCOL:
            raise CannotMeasure(f"{self.python} runs another release of the worker", "reinstall hermes-diag")
        return event

    async def start(self, job: Job, payload: bytes) -> None:
        """Hand over a job and the body it replays."""
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
        """The next event, checked against the contract. Raises Gone at the end of the stream."""
        try:
            line = await self._events.readline()
        except ConnectionError:  # killed with a command unread
            line = b""
        if not line.endswith(b"\n"):
            self.gone = True
            raise Gone
        try:
            fields = msgspec.json.decode(line)
            name = fields.pop("event")
            event: Any = msgspec.convert(fields, contract.EVENTS[name])
        except (msgspec.MsgspecError, KeyError, AttributeError, TypeError) as exc:
            raise CannotMeasure(f"the worker sent something that is no event: {type(exc).__name__}") from None
        if name not in contract.FOLLOWS[self._last]:
            raise CannotMeasure(f"the worker said {name!r} after {self._last!r}")
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
            self._stderr.append(line.decode("utf-8", "replace"))


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


def worker_environment(environ: Any) -> dict[str, str]:
    """The user's environment without proxies and OPENAI_ variables: they would lead the SDK away from our provider, or
    give it a key."""
    return {
        name: value
        for name, value in environ.items()
        if not name.upper().startswith("OPENAI_") and not name.upper().endswith("_PROXY")
    }
