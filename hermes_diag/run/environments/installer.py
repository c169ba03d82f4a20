"""Runs the steps of an installer, uv or pip: says how long it takes, and leaves no process behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hermes_diag.core import scratch
from hermes_diag.core.errors import CannotMeasure, cure
from hermes_diag.run.environments.base import Base

#: Seconds that one step may take.
PATIENCE = 900
#: Seconds between two lines of progress, and between two looks whether to stop.
SAY_EVERY, LOOK_EVERY = 5.0, 0.2

Say = Callable[[str], None]


class Failed(Exception):
    """An installer ended with an error; args: what it said."""


class Stopped(Exception):
    """The user has stopped it."""


class Installer:
    """say: gets a line of progress. stop: when it is set, the step under way is killed, and Stopped is raised."""

    def __init__(self, say: Say, stop: threading.Event | None = None) -> None:
        self.say = say
        self.stop = stop or threading.Event()
        self.uv = shutil.which("uv")

    @property
    def name(self) -> str:
        return "uv" if self.uv else "venv and pip"

    def create(self, folder: Path, base: Base, what: str, lock: int) -> Path:
        """An environment without packages; its interpreter. Raises Failed, Stopped, CannotMeasure."""
        if self.uv:
            self.run([self.uv, "venv", "--quiet", "--python", base.python, str(folder)], what, lock)
        else:
            self.run([base.python, "-I", "-m", "venv", str(folder)], what, lock)
        return folder / "bin" / "python"

    def install(self, python: Path, wanted: Sequence[str], what: str, lock: int) -> None:
        """Install requirements. Raises Failed, Stopped, CannotMeasure."""
        if self.uv:  # compiled now: the worker writes nothing into an environment
            command = [self.uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
        else:
            command = [
                str(python),
                "-I",
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-input",
            ]
        if wanted:
            self.run([*command, *wanted], what, lock)

    def run(self, command: Sequence[str], what: str, *passed: int) -> str:
        """Run one step to its end; what it wrote to stdout. passed: descriptors that it inherits: a lock that holds
        also when this process was killed. Raises Failed, Stopped, CannotMeasure."""
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        with scratch.folder() as folder:  # pip that is killed leaves its half-unpacked packages there
            return self._run(command, what, passed, {**environ, "TMPDIR": folder})

    def _run(self, command: Sequence[str], what: str, passed: Sequence[int], environ: Mapping[str, str]) -> str:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                errors="replace", pass_fds=passed, start_new_session=True, env=environ,
            )  # fmt: skip
        except OSError as exc:
            raise CannotMeasure(
                f"cannot start {command[0]}: {exc.strerror}", cure(exc, "name another with --base-python")
            ) from None
        with process:
            try:
                out, err = self._wait(process, what)
            except BaseException:
                end(process)
                raise
        if process.returncode:
            raise Failed(err)
        return out

    def _wait(self, process: subprocess.Popen[str], what: str) -> tuple[str, str]:
        begun = said = time.monotonic()
        while True:
            try:
                return process.communicate(timeout=LOOK_EVERY)
            except subprocess.TimeoutExpired:
                self.check()
            now = time.monotonic()
            if now - begun > PATIENCE:
                raise CannotMeasure(f"the installer took more than {PATIENCE} s for {what}", "is the network there?")
            if now - said >= SAY_EVERY:
                said = now
                self.say(f"{what}: {self.name} at work, {now - begun:.0f} s so far")

    def check(self) -> None:
        """Raises Stopped when the user has stopped it."""
        if self.stop.is_set():
            raise Stopped


def end(process: subprocess.Popen[str]) -> None:
    """Kill an installer with all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
