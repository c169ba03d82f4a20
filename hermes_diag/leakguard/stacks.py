"""Which lines of a stack are of the code under test, and who waits for a task that a library made.

Only names of files and numbers of lines are kept, no frame: a kept frame would keep the client alive, which would
look like a leak.
"""

from __future__ import annotations

import functools
import os
from types import FrameType
from typing import NamedTuple

from hermes_diag.leakguard.recorder import hermes_diag_recorder

#: Frames looked at, the innermost first.
DEPTH = 200
_PYTEST = f"{os.sep}_pytest{os.sep}"
_EVENT_LOOPS = (os.path.join("asyncio", "events.py"), os.path.join("trio", "_core", "_run.py"))


class Line(NamedTuple):
    """A line that was being executed."""

    file: str
    number: int
    function: str


def lines_of(frame: FrameType | None) -> tuple[tuple[Line, ...], tuple[Line, ...], bool]:
    """(the innermost lines of any code, those of the code under test, whether such a one comes before a loop's)."""
    lines: list[Line] = []
    own: list[Line] = []
    in_task, below = True, False
    for _ in range(DEPTH):
        if frame is None or is_pytest(frame.f_code.co_filename):
            break  # below pytest nothing is code under test
        code = frame.f_code
        line = Line(code.co_filename, frame.f_lineno, code.co_name)
        if is_own(code.co_filename):
            own.append(line)
            below = below or in_task
        elif in_task and code.co_filename.endswith(_EVENT_LOOPS):
            in_task = False
        if len(lines) < 8 and not is_stdlib(code.co_filename):
            lines.append(line)
        frame = frame.f_back
    return tuple(lines[:4]), tuple(own), below or in_task


def waiting_lines() -> tuple[Line, ...]:
    """Own lines of the task that waits for this one, as far as that can be told."""
    lines: tuple[Line, ...] = hermes_diag_recorder.waiting_lines(_own_line)  # type: ignore[no-untyped-call]
    return lines


def _own_line(frame: FrameType) -> Line | None:
    code = frame.f_code
    return Line(code.co_filename, frame.f_lineno, code.co_name) if is_own(code.co_filename) else None


#: The folder of our own package.
OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def is_pytest(file: str) -> bool:
    return _PYTEST in file


@functools.cache
def is_own(file: str) -> bool:
    """Whether a file is of the project under test: not installed, not of Python, not of hermes-diag."""
    kind = hermes_diag_recorder.kind_of(file, None)  # type: ignore[no-untyped-call]
    return isinstance(kind, tuple) and kind[0] == hermes_diag_recorder.OWN and not file.startswith(OURS)


@functools.cache
def is_stdlib(file: str) -> bool:
    """Whether a file is of Python itself, or no file."""
    return not isinstance(hermes_diag_recorder.kind_of(file, None), tuple)  # type: ignore[no-untyped-call]
