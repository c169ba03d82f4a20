"""The Python that runs the worker: started by path, told its jobs, listened to, ended for certain."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from hermes_diag.errors import CannotMeasure
from hermes_diag.gateway import contract
from hermes_diag.gateway.contract import Failed, Hello, Job

GATEWAY = Path(__file__).parent / "gateway"
#: Seconds an interpreter may take from its start to its hello.
START_PATIENCE = 60.0

_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+),? in (?P<name>\S+)')
_THREAD = re.compile(r"^(Current thread|Thread) 0x")


class Gone(Exception):
    """The worker closed its end: it has exited or was killed."""


class Lane:
    """One worker process, its jobs run one after the other.

    Async context manager: leaving it kills the whole process group, the job's process included.
    """

    def __init__(self, python: str, spawn: bool = False) -> None:
        self.python = python
        self.spawn = spawn
        self._stderr: deque[str] = deque(maxlen=400)
        self._last: str | None = None

    async def __aenter__(self) -> Lane:
        read, write = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                self.python, "-B", str(GATEWAY), "--events", str(write), *(["--spawn"] if self.spawn else []),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=[write],
                env=worker_environment(os.environ),
                start_new_session=True,  # Ctrl-C on the terminal is the host's; and one kill ends all
            )
        except OSError as exc:
            os.close(read)
            raise CannotMeasure(
                f"cannot start {self.python}: {exc.strerror}", "name another interpreter, or reinstall"
            ) from None
        finally:
            os.close(write)
        self._events = asyncio.StreamReader(limit=1 << 24)
        self._pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._events), os.fdopen(read, "rb", 0)
        )
        self._drain = asyncio.create_task(self._read_stderr())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.kill()
        self._pipe.close()
        await self._process.wait()
        self._drain.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._drain

    def kill(self) -> None:
        """End the lane and the job it runs, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def hello(self) -> Hello:
        """The stack that this interpreter has. Raises CannotMeasure when it has none."""
        try:
            event = await asyncio.wait_for(self.event(), START_PATIENCE)
        except Gone:
            raise CannotMeasure(
                f"{self.python} ended before it could say what SDK it has",
                "run `" + self.python + " -c 'import openai'` to see why",
            ) from None
        except TimeoutError:
            raise CannotMeasure(f"{self.python} was silent for {START_PATIENCE:.0f} s after its start") from None
        if isinstance(event, Failed):
            raise CannotMeasure(
                f"{self.python} cannot import the SDK: {event.error}",
                f"{self.python} -m pip install 'openai>=2.24,<3'",
            )
        assert isinstance(event, Hello)
        if event.protocol != contract.PROTOCOL:
            raise CannotMeasure(f"{self.python} runs another release of the worker", "reinstall hermes-diag")
        return event

    async def start(self, job: Job, payload: bytes) -> None:
        """Hand over a job and the body it replays."""
        assert self._process.stdin is not None
        line = json.dumps({**asdict(job), "payload_bytes": len(payload)})
        await self._write(line.encode() + b"\n" + payload)

    async def go(self) -> None:
        """Open the barrier at which the worker stands."""
        await self._write(contract.GO.encode() + b"\n")

    async def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except ConnectionError:
            raise Gone from None

    async def event(self) -> Any:
        """The next event, checked against the contract. Raises Gone at the end of the stream."""
        line = await self._events.readline()
        if not line.endswith(b"\n"):
            raise Gone
        try:
            fields = msgspec.json.decode(line)
            name = fields.pop("event")
            event = msgspec.convert(fields, contract.EVENTS[name])
        except (msgspec.MsgspecError, KeyError, AttributeError, TypeError) as exc:
            raise CannotMeasure(f"the worker sent what is no event: {type(exc).__name__}") from None
        if name not in contract.FOLLOWS[self._last]:
            raise CannotMeasure(f"the worker said {name!r} after {self._last!r}")
        self._last = name
        return event

    async def stacks(self, pid: int) -> tuple[str, ...]:
        """Ask a process of this lane for the stacks of all its threads, innermost frame first."""
        self._stderr.clear()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)
        for _ in range(100):  # faulthandler writes at once; up to a second on a machine that swaps
            await asyncio.sleep(0.01)
            if any("most recent call first" in line for line in self._stderr):
                await asyncio.sleep(0.05)
                break
        return frames(self._stderr)

    async def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        while True:
            try:
                line = await self._process.stderr.readline()
            except ValueError:  # a line longer than the buffer; libraries print megabytes
                continue
            if not line:
                return
            self._stderr.append(line.decode("utf-8", "replace"))


def frames(lines: Any) -> tuple[str, ...]:
    """Of a faulthandler dump only `file:line function` and thread heads: other text may quote data."""
    kept = []
    for line in lines:
        if match := _FRAME.match(line):
            kept.append(f"{short_path(match['file'])}:{match['line']} {match['name']}")
        elif _THREAD.match(line):
            kept.append("thread")
    return tuple(kept)


def short_path(path: str) -> str:
    """A source path without what is the user's: from site-packages, the library or our package on."""
    for mark in ("/site-packages/", "/hermes_diag/"):
        if mark in path:
            return path.rpartition(mark)[2]
    return "/".join(path.split("/")[-2:])


def worker_environment(environ: Any) -> dict[str, str]:
    """The user's environment without what would steer the SDK away from our provider, or tell it a
    key: proxies and everything of OPENAI's."""
    return {
        name: value
        for name, value in environ.items()
        if not name.upper().startswith("OPENAI_") and not name.upper().endswith("_PROXY")
    }
