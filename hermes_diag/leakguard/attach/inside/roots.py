"""Where a person can name an object: module globals, attributes of classes, local variables, defaults, contexts.

`ROOTS` says for the id of an object where it can be found by name: (rank, kind, text). A lower rank tells more.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

from hermes_diag.leakguard.attach.inside.kinds import KIND, is_library
from hermes_diag.leakguard.attach.inside.reading import (
    DICT_OF,
    MODULE_DICT,
    MODULE_TYPE,
    function_name,
    is_type,
    kin,
    peek,
    place,
    text_of,
)

ROOTS: dict[int, tuple[int, str, str]] = {}
#: Objects whose ids stand in ROOTS and that nothing else of ours holds: an id must not be given away meanwhile.
ROOTED: list[Any] = []
OWN, LIBRARY, WEAK = 0, 2, 3


def root(value: Any, rank: int, kind: str, text: str) -> None:
    """Note where a value can be named, if that tells more than what is known. What holds nothing is left out."""
    if not gc.is_tracked(value) and type(value) is not KIND["epoll"]:
        return
    known = ROOTS.get(id(value))
    if known is None or rank < known[0]:
        ROOTS[id(value)] = (rank, kind, text)
        ROOTED.append(value)


def of_frame(frame: Any, kind: str, where: str) -> None:
    """The local variables of a frame. Those of a module are its globals, which have been named already."""
    code = frame.f_code
    found = frame.f_locals
    if type(found) is not KIND["locals"]:
        return
    filename = text_of(code.co_filename)
    said = f"of {function_name(code)} ({place(code, frame.f_lineno)}){where}"
    rank = LIBRARY if is_library(filename) else OWN
    for name, value in found.items():
        if type(value) is KIND["cell"] or text_of(name).startswith("."):
            continue
        root(value, rank, kind, f"local variable {name} {said}")


def of_threads(ours: Any) -> None:
    """The frames that run, of all threads; ours: globals of this script, whose frames are left out."""
    threads = peek_module("threading", "_active")
    names: dict[int, str] = {}
    if type(threads) is dict:
        for number, thread in list(threads.items()):
            name = text_of(peek(thread, "_name"), "")
            names[number] = name
            root(thread, 1, "thread", f"thread '{name}'")
    for number, frame in list(sys._current_frames().items()):
        said = f", in thread '{names[number]}'" if names.get(number) else ""
        for _ in range(400):
            if frame is None:
                break
            if frame.f_globals is not ours:
                of_frame(frame, "local", said)
            frame = frame.f_back


def peek_module(module: str, name: str) -> Any:
    """A global of a module that is loaded, else None."""
    loaded = sys.modules.get(module)
    return MODULE_DICT(loaded).get(name) if type(loaded) is MODULE_TYPE else None


def of_modules() -> None:
    """The globals of each module. What stands in them is found when holders are asked for: that is quicker."""
    for module, loaded in list(sys.modules.items()):
        if type(module) is str and kin(loaded, MODULE_TYPE):
            root(MODULE_DICT(loaded), OWN, "module", f"{module}.")


def is_global(function: Any) -> bool:
    """Whether a function stands in its module or in a class of it, so that it stays."""
    scope: Any = function.__globals__
    found = None
    for name in text_of(function.__qualname__).split("."):
        found = scope.get(name)
        if found is function:
            return True
        if not is_type(found):
            return False
        scope = DICT_OF(found)
    return False


def of_contexts(contexts: list[Any]) -> None:
    """Values of context variables. A context is copied for each task: those after the first thousand are left out."""
    for context in contexts[:1000]:
        for variable, value in list(context.items()):
            root(value, 1, "context", f"context variable {text_of(variable.name)}")


def waiting(coroutine: Any) -> list[Any]:
    """A coroutine (or generator) and those that it waits for, the innermost last."""
    found: list[Any] = []
    suspended = (KIND["coroutine"], KIND["generator"], KIND["asyncgen"])
    for _ in range(100):
        if type(coroutine) not in suspended:
            # Some other awaitable: the coroutine may be behind it.
            inner = [one for one in gc.get_referents(coroutine) if type(one) in suspended] if coroutine else []
            if not inner:
                break
            coroutine = inner[0]
        found.append(coroutine)
        kind = type(coroutine)
        coroutine = (
            coroutine.cr_await
            if kind is suspended[0]
            else coroutine.gi_yieldfrom
            if kind is suspended[1]
            else coroutine.ag_await
        )
        if coroutine is None or any(coroutine is one for one in found):
            break
    return found


def frame_of(suspended: Any) -> Any:
    """The frame of a coroutine or generator, None of one that has ended."""
    kind = type(suspended)
    if kind is KIND["coroutine"]:
        return suspended.cr_frame
    return suspended.gi_frame if kind is KIND["generator"] else suspended.ag_frame


def of_tasks(tasks: list[Any], late: Any) -> None:
    """Local variables of the coroutines of tasks that wait."""
    task_type = KIND["task"]
    for task in tasks:
        if late():
            return
        if task_type.done(task):
            continue
        name = text_of(task_type.get_name(task))
        root(task, WEAK, "task", f"the waiting task '{name}'")
        for suspended in waiting(task_type.get_coro(task)):
            frame = frame_of(suspended)
            if frame is not None:
                of_frame(frame, "task", f", where task '{name}' waits")


def weak_root(value: Any) -> Any:
    """A name for what can be named but is no end of the way: a generator, a function, a frame that a traceback
    keeps."""
    kind = type(value)
    if kind in (KIND["generator"], KIND["coroutine"], KIND["asyncgen"]):
        return (WEAK, "generator", "")
    if kind is KIND["frame"]:
        return (WEAK, "traceback", "")
    if kind is KIND["function"]:
        return (OWN if is_global(value) else WEAK, "function", "")
    return None
