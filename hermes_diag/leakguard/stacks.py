"""Which lines of a stack are of the code under test, and who waits for a task that a library made.

Only names of files and numbers of lines are kept, no frame: a kept frame would keep the client alive, which would
look like a leak.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import sysconfig
from types import FrameType
from typing import Any, NamedTuple

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
    return _of_asyncio(sys.modules.get("asyncio")) or _of_trio(sys.modules.get("trio"))


def _of_asyncio(asyncio: Any) -> tuple[Line, ...]:
    """asyncio does not know which task waits for which, but a waiting task leaves a callback with the one it waits for.
    Nothing when no task waits yet, or several do."""
    try:
        me = asyncio.current_task()
    except (AttributeError, RuntimeError):
        return ()
    waiting, found = [me], []
    for future in waiting:  # which grows
        for callback, *_ in getattr(future, "_callbacks", None) or ():
            for one in _behind(callback):
                if asyncio.isfuture(one) and not any(one is other for other in waiting) and len(waiting) < DEPTH:
                    lines = _suspended(one.get_coro()) if hasattr(one, "get_coro") else ()
                    found += [lines] if lines else []
                    waiting += [] if lines else [one]
    return found[0] if len(set(found)) == 1 else ()


def _behind(callback: Any) -> list[Any]:
    """What a callback of a future is for: a task that awaits it, the future of gather, wait, wait_for or shield, the
    task in which a group of tasks lives."""
    things = [getattr(callback, "__self__", None), *getattr(callback, "args", ())]
    for cell in getattr(callback, "__closure__", None) or ():
        with contextlib.suppress(ValueError):  # empty
            things.append(cell.cell_contents)
    homes = [getattr(one, "_parent_task", None) for one in things]  # asyncio.TaskGroup
    homes += [getattr(getattr(one, "cancel_scope", None), "_host_task", None) for one in things]  # that of anyio
    return [*things, *(task for task in homes if task is not None and _waits_for_its_group(task))]


def _waits_for_its_group(task: Any) -> bool:
    """Whether a task stands at the end of a group, or in a library that has made one; and not at a line of one's own
    within an `async with`."""
    coroutine, inner = task.get_coro(), ""
    while coroutine is not None:
        if getattr(coroutine, "__name__", "") == "__aexit__":
            return True
        code = getattr(coroutine, "cr_code", None)
        inner = code.co_filename if code and not is_stdlib(code.co_filename) else inner
        coroutine = getattr(coroutine, "cr_await", None)
    return not is_own(inner)


def _of_trio(trio: Any) -> tuple[Line, ...]:
    try:
        task = trio.lowlevel.current_task()
    except (AttributeError, RuntimeError):
        return ()
    lines: tuple[Line, ...] = ()
    while not lines and task.parent_nursery is not None:
        task = task.parent_nursery.parent_task
        lines = _suspended(task.coro)
    return lines


def _suspended(coroutine: Any) -> tuple[Line, ...]:
    """The own lines at which a coroutine stands, the innermost first."""
    lines: list[Line] = []
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None and is_own(frame.f_code.co_filename):
            lines.append(Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return tuple(reversed(lines))


#: Folders of Python, also by the names of links to them. Asked here, once: within an audit hook no function of os may
#: be called, since tests replace them by ones that raise (blockbuster does, to find blocking calls in an event loop).
_FOLDERS = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), os.path.dirname(os.__file__)}
_STDLIB = tuple(folder + os.sep for folder in {*_FOLDERS, *map(os.path.realpath, _FOLDERS)})
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
#: The folder of our own package.
OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def is_pytest(file: str) -> bool:
    return _PYTEST in file


@functools.cache
def is_own(file: str) -> bool:
    """Whether a file is of the project under test: not installed, not of Python, not of hermes-diag."""
    return not (is_stdlib(file) or file.startswith(OURS) or any(folder in file for folder in _INSTALLED))


@functools.cache
def is_stdlib(file: str) -> bool:
    """Whether a file is of Python itself, or no file."""
    return file.startswith("<") or (file.startswith(_STDLIB) and not any(folder in file for folder in _INSTALLED))
