"""The Python that runs the worker: started by path, sent its jobs, read, and killed at the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hermes_diag.core.errors import CannotMeasure, cure
from hermes_diag.core.leaves import WORKER
from hermes_diag.run.lane import Lane, Pipes

_ELSE = "name a Python 3.9 or newer, or the folder of its virtualenv"


@dataclass(frozen=True)
class Target:
    """The interpreter to run the worker in, its working folder (None: ours), and the variables that its environment has
    in addition to ours."""

    python: str
    cwd: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


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
        self._pipes = [Pipes() for _ in range(lanes)]
        self.lanes: list[Lane] = []
        self._environ = {**worker_environment(os.environ), **target.environment}

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
                env=self._environ,
                start_new_session=True,  # Ctrl-C on the terminal is for the host; and one kill ends all
            )
        except (OSError, ValueError) as exc:  # ValueError: a null byte in the name
            for pipes in self._pipes:
                pipes.close_ours()
            raise CannotMeasure(
                f"cannot start {self._python or '(no name)'}: {getattr(exc, 'strerror', None) or exc}",
                cure(exc, _ELSE) if isinstance(exc, OSError) else _ELSE,
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
                lane = await Lane.open(self._python, self._spawn, pipes, self._process)
                lane.environ = self._environ
                self.lanes.append(lane)
                lane.first = self.lanes[0]
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


def worker_environment(environ: Any) -> dict[str, str]:
    """The user's environment without proxies and OPENAI_ variables: they would lead the SDK away from our provider, or
    give it a key."""
    return {
        name: value
        for name, value in environ.items()
        if not name.upper().startswith("OPENAI_") and not name.upper().endswith("_PROXY")
    }
