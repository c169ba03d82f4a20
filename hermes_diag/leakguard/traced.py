"""Runs a program with a recorder in each Python that it starts, and says what they held at their end."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from hermes_diag.core import redact, scratch
from hermes_diag.core.errors import CannotMeasure, HermesDiagError, UsageError, cure
from hermes_diag.core.sockets import bracketed
from hermes_diag.leakguard import boxes
from hermes_diag.leakguard.box import Box, shown
from hermes_diag.leakguard.recorder import hermes_diag_recorder as form
from hermes_diag.watch import process
from hermes_diag.watch.opened import Kept, Remains

#: The folder that Python is to find first on PYTHONPATH.
RECORDER = Path(form.__file__).parent
#: Seconds from look to look at what the processes hold, at least; and how much of the time looks may take.
_LOOK, _SHARE = 0.5, 0.05
#: Seconds from a SIGTERM until it is passed on.
_SECOND = 1.0
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")]
KINDS: dict[int, str] = {
    form.SOCKET: "socket",
    form.FILE: "file",
    form.PIPE: "pipe",
    form.LOOP: "event loop",
    form.OTHER: "other descriptor",
}

_KINDS_HELD = {"pipe": "pipe", "file": "file", "SQLite": "file", "file (deleted)": "file", "eventpoll": "event loop"}


def folder(keep: bool = False) -> Path:
    """A new folder of this user alone for boxes. keep: no later trace removes it, as it does those of traces that were
    killed. Raises OSError."""
    place = str(form.place())  # type: ignore[no-untyped-call]
    scratch.sweep(place, busy=lambda path: any(held_now(box) is not None for box in path.glob("*.box")))
    return Path(tempfile.mkdtemp(prefix="hermes-diag-kept-", dir=place)) if keep else scratch.make(place)


def environment(folder: Path, paths: bool) -> dict[str, str]:
    """The variables that load the recorder. folder: for the boxes. paths: write whole names of files."""
    before = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": f"{RECORDER}{os.pathsep}{before}" if before else str(RECORDER),
        "HERMES_DIAG_BOXES": str(folder),
        "HERMES_DIAG_KEEP": "1",  # whoever runs it reads the boxes and removes them
        **({"HERMES_DIAG_PATHS": "1"} if paths else {}),
    }


def blind(command: Sequence[str]) -> str:
    """Why a program is a Python that does not load the recorder, "": it does, or is none."""
    return str(form.blind(command[0], command, None, ""))  # type: ignore[no-untyped-call]


class Traced:
    """A program that runs in a trace. folder: an empty one of this user alone."""

    def __init__(self, command: Sequence[str], folder: Path, paths: bool = False, output: int | None = None) -> None:
        self.folder = folder
        self._last: dict[str, tuple[Kept, ...]] = {}  # what was held at the last look, by name of the box
        self._next = 0.0
        self._ask_to_end = 0.0  # when; 0: nobody wants it
        try:
            self._child = subprocess.Popen(list(command), env=environment(folder, paths), stdout=output)
        except OSError as exc:
            said = f"cannot run {command[0]}: {exc.strerror}"
            if todo := cure(exc):  # nothing is wrong with the program
                raise CannotMeasure(said, todo) from None
            raise UsageError(said, "name a program that can be run") from None

    def wait(self) -> int:
        """Until the program has ended; its exit code, as a shell says it.

        Ctrl-C is left to the program, which gets it, too. Other signals are passed on; SIGTERM after a second, if the
        program is still there: systemd sends it to both, and a second one would cut short what the first began."""
        before = {number: signal.signal(number, self._pass_on) for number in _SIGNALS}
        try:
            while True:
                try:
                    code = self._child.wait(_LOOK)
                    return code if code >= 0 else 128 - code
                except subprocess.TimeoutExpired:
                    self._look()
                if self._ask_to_end and time.monotonic() > self._ask_to_end:
                    self._ask_to_end = 0.0
                    self._child.terminate()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _pass_on(self, number: int, frame: object) -> None:
        if number == signal.SIGTERM:
            self._ask_to_end = time.monotonic() + _SECOND
        elif number != signal.SIGINT:
            self._child.send_signal(number)

    def _look(self) -> None:
        """What each process holds, in case that it is killed before it can say it itself."""
        if time.monotonic() < self._next:
            return
        begun = time.monotonic()
        for path in self.folder.glob("*.box"):
            kept = held_now(path) if os.path.exists(f"/proc/{path.name.partition('-')[0]}") else None
            if kept is not None:
                self._last[path.name] = kept
        now = time.monotonic()
        self._next = now + (now - begun) / _SHARE

    def remains(self) -> Iterator[Remains]:
        """Of each recorded process, in the order of their start."""
        found = []
        for path in self.folder.glob("*.box"):
            try:
                found.append(Box(path))
            except HermesDiagError:  # killed while it made it
                continue
        for box in sorted(found, key=lambda box: (box.start, box.pid)):
            yield of_box(box, self._last.get(box.path.name))

    def clear(self) -> bool:
        """Remove the boxes of processes that have ended. Whether one still runs, whose box stays."""
        for path in self.folder.glob("*.box"):
            if held_now(path) is None:
                path.unlink()
        try:
            self.folder.rmdir()
        except OSError:  # there are boxes in it
            return True
        return False


def held_now(path: Path) -> tuple[Kept, ...] | None:
    """What the process of a box holds, None: it has ended."""
    try:
        box = Box(path)
        if process.stat(box.pid).ticks != box.start:
            return None
        held, found = boxes.own(box)
    except (OSError, HermesDiagError):
        return None
    if not held.fds:  # it is about to end: the kernel has closed them before it shows that
        return None
    return tuple(
        Kept(fd, _KINDS_HELD.get(held.fds[str(fd)][0], "socket"), _name(box, fd), opened) for fd, opened in found
    )


def of_box(box: Box, last: tuple[Kept, ...] | None = None) -> Remains:
    """What the process of a box held at its end, or as far as it is known. last: at the last look at it, None: there
    was none. What it had before a fork is the parent's."""
    how: Literal["ended", "killed", "running"] = "killed"
    kept = last
    if box.ended:
        how = "ended"
        kept = _kept(box, form.LEFT)
    elif _runs(box):
        how, kept = "running", held_now(box.path)
    return Remains(
        box.pid, box.python, redact.name(box.program), how, kept or (), kept is not None, tuple(boxes.notes(box))
    )


def alone(box: Box) -> Remains:
    """The same of a box at which nobody looked while its process ran. Where that was killed: the last opening of each
    descriptor, whether it was closed again or not."""
    found = of_box(box)
    return found if found.looked else replace(found, kept=_kept(box, 0))


def _kept(box: Box, flag: int) -> tuple[Kept, ...]:
    return tuple(
        Kept(fd, KINDS[slot.kind], _name(box, fd), box.opened(slot))
        for fd, slot in box.slots()
        if slot.flags & flag == flag and slot.kind in KINDS and box.unix(slot) >= box.begun
    )


def _runs(box: Box) -> bool:
    try:
        return boxes.is_of_this_boot(box) and bool(process.stat(box.pid).ticks == box.start)
    except HermesDiagError:
        return False


def _name(box: Box, fd: int) -> str:
    """The remote of a socket, the name of a file."""
    slot = box.slot(fd)
    if slot is None:
        return ""
    name = shown(slot.name)
    return f"{bracketed(name)}:{slot.port}" if slot.port else name
