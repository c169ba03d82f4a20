"""Where a person can name an object: module globals, attributes of classes, local variables, defaults, contexts.

`ROOTS` says for the id of an object where it can be found by name: (rank, kind, text). A lower rank tells more.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

from hermes_diag.leakguard.attach.inside.kinds import KIND, SUSPENDED, global_of, is_library, rank_of_module
from hermes_diag.leakguard.attach.inside.reading import (
    DICT_OF,
    MEMBER,
    MISSING,
    MODULE_DICT,
    MODULE_OF,
    MODULE_TYPE,
    QUALNAME_OF,
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
#: (rank, name, globals) of each module.
MODULES: list[tuple[int, str, Any]] = []
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
    threads = global_of("threading", "_active")
    names: dict[int, str] = {}
    if type(threads) is dict:
        for number, thread in list(threads.items()):
            name = text_of(peek(thread, "_name"), "")
            names[number] = name
            root(thread, OWN, "thread", f"thread '{name}'")
    top: Any = sys._getframe()
    while top.f_globals is ours and top.f_back is not None:
        top = top.f_back
    hidden = top.f_globals  # of the script that runs this one
    frames: list[tuple[int, Any]] = list(sys._current_frames().items())
    for number, frame in frames:
        said = f", in thread '{names[number]}'" if names.get(number) else ""
        for _ in range(400):
            if frame is None:
                break
            if frame.f_globals is not ours and frame.f_globals is not hidden:
                of_frame(frame, "local", said)
            frame = frame.f_back
    # The frame of this function is among them: as one of its own variables it would be a cycle, and stay.
    frames.clear()
    frame = top = None


def of_modules(rank: int, late: Any) -> None:
    """What is in the globals of the program's modules (rank 0), of installed packages (1).

    Of the others only the globals as such are known; what they hold is found by asking for holders.
    """
    if not MODULES:
        for name in ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__"):
            root(getattr(sys, name, None), OWN, "module", f"sys.{name}")
        for module, loaded in list(sys.modules.items()):
            if type(module) is str and kin(loaded, MODULE_TYPE):
                own = MODULE_DICT(loaded)
                ROOTS[id(own)] = (OWN, "module", f"{module}.")
                MODULES.append((rank_of_module(module, text_of(own.get("__file__"), "")), module, own))
    for known, module, own in MODULES:
        if known == rank:
            if late():
                return
            of_module(module, own)


def of_module(module: str, own: Any) -> None:
    """What the globals of a module name, attributes of its classes, and what its functions keep."""
    for key, value in list(own.items()):
        cls = type(value)
        if type(key) is not str or key.startswith("__"):
            continue
        if cls is KIND["function"]:
            of_function(value, own)
        elif is_type(value):
            if text_of(MODULE_OF(value)) == module:
                for name, attribute in list(DICT_OF(value).items()):
                    if type(attribute) is KIND["function"]:
                        of_function(attribute, own)
                    elif type(attribute) is not MEMBER and type(name) is str:
                        root(attribute, OWN, "class", f"{module}.{text_of(QUALNAME_OF(value))}.{name}")
        elif cls is not MODULE_TYPE:
            root(value, OWN, "module", f"{module}.{key}")


def of_function(function: Any, own: Any) -> None:
    """A function with defaults or with variables of the function around it; what they are is said later."""
    if function.__globals__ is own and (function.__defaults__ or function.__kwdefaults__ or function.__closure__):
        root(function, OWN, "function", "")


def is_global(function: Any) -> bool:
    """Whether a function stands in its module or in a class of it, so that it stays."""
    scope: Any = function.__globals__
    found = None
    for name in text_of(function.__qualname__).split("."):
        found = dict.get(scope, name) if kin(scope, dict) else scope.get(name)  # else it is of a class
        if found is function:
            return True
        if not is_type(found):
            return False
        scope = DICT_OF(found)
    return False


def of_contexts(tasks: list[Any]) -> None:
    """Values of context variables, of this thread and of the first thousand tasks: a context is copied for each."""
    copied = global_of("_contextvars", "copy_context")
    contexts = [KIND["task"].get_context(task) for task in tasks[:1000]]
    if copied is not None:
        contexts.append(copied())
    for context in contexts:
        for variable, value in list(context.items()):
            root(value, OWN, "context", f"context variable {text_of(variable.name)}")


def waiting(coroutine: Any) -> list[Any]:
    """A coroutine (or generator) and those that it waits for, the innermost last."""
    found: list[Any] = []
    for _ in range(100):
        if coroutine is None:
            break
        if id(type(coroutine)) not in SUSPENDED:
            # Some other awaitable: the coroutine may be behind it.
            inner = [one for one in gc.get_referents(coroutine) if id(type(one)) in SUSPENDED]
            if not inner:
                break
            coroutine = inner[0]
        found.append(coroutine)
        kind = type(coroutine)
        coroutine = (
            coroutine.cr_await
            if kind is KIND["coroutine"]
            else coroutine.gi_yieldfrom
            if kind is KIND["generator"]
            else coroutine.ag_await
        )
        if any(coroutine is one for one in found):
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
        loop = task_type.get_loop(task)
        for end in ("_ssock", "_csock"):
            if peek(loop, end) is not MISSING:
                root(peek(loop, end), OWN, "loop", "the event loop, to wake itself")
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
    if id(kind) in SUSPENDED:
        return (WEAK, "generator", "")
    if kind is KIND["frame"]:
        return (WEAK, "traceback", "")
    if kind is KIND["function"]:
        return (OWN if is_global(value) else WEAK, "function", "")
    return None
