"""The built-in types that the walk knows, and those of the libraries whose objects it follows."""

from __future__ import annotations

import sys
from typing import Any

from hermes_diag.leakguard.attach.inside.reading import DICT_OF, MODULE_OF, MRO_OF, QUALNAME_OF, text_of

#: Packages whose objects are followed downwards from the start: what holds a socket is mostly theirs.
PACKAGES = frozenset(
    "socket ssl asyncio http urllib urllib3 requests httpx httpcore httpx2 httpcore2 openai anthropic aiohttp websockets "
    "anyio h11 h2 trio selectors subprocess concurrent threading socketserver multiprocessing _asyncio _io _ssl "
    "ftplib smtplib imaplib uvloop".split()
)
#: Classes whose subclasses are not looked at: thousands, and none that has a socket.
BARREN = frozenset("BaseModel Enum Generic dict list tuple set frozenset str bytes int float BaseException".split())
#: What the event loop holds to be woken. It leads to every socket of the loop, so that it says nothing about who keeps it.
OF_THE_LOOP = frozenset(("Handle", "TimerHandle", "_SelectorMapping", "SelectorKey"))
KIND: dict[str, Any] = {}
#: Ids of the classes of containers, and of what waits in the middle of a function.
CONTAINERS: set[int] = set()
SUSPENDED: set[int] = set()


def learn() -> None:
    """The types that have no name in `builtins`, taken from things of that type."""
    value = 0

    def inner() -> int:
        return value

    async def coroutine() -> None: ...

    async def stream() -> Any:
        yield

    waiting: Any = coroutine()
    KIND["coroutine"] = type(waiting)
    waiting.close()
    KIND["generator"] = type(_ for _ in ())
    KIND["asyncgen"] = type(stream())
    KIND["function"] = type(inner)
    KIND["cell"] = type(inner.__closure__[0])  # type: ignore[index]
    KIND["frame"] = type(sys._getframe())
    KIND["locals"] = type(sys._getframe().f_locals)
    KIND["method"] = type(inner.__get__(value))  # type: ignore[attr-defined]
    for name, module, own in (
        ("socket", "_socket", "socket"),
        ("sslsocket", "_ssl", "_SSLSocket"),
        ("file", "_io", "FileIO"),
        ("task", "_asyncio", "Task"),
        ("context", "_contextvars", "Context"),
        ("deque", "_collections", "deque"),
        ("partial", "_functools", "partial"),
        ("epoll", "select", "epoll"),
        ("thread", "threading", "Thread"),
    ):
        loaded = sys.modules.get(module)
        found = type(sys).__dict__["__dict__"].__get__(loaded).get(own) if type(loaded) is type(sys) else None
        KIND[name] = found
    CONTAINERS.update(map(id, (dict, list, tuple, set, frozenset, KIND["deque"])))
    SUSPENDED.update(id(KIND[one]) for one in ("coroutine", "generator", "asyncgen"))


def wanted_types() -> dict[int, Any]:
    """id -> class of all classes whose instances are looked for: those of PACKAGES, and all that derive from one."""
    wanted: dict[int, Any] = {}
    bases = {id(KIND[one]) for one in ("socket", "file", "task", "context", "thread") if KIND[one] is not None}
    seen: set[int] = {id(object)}
    open_: list[Any] = type.__subclasses__(object)
    while open_:
        cls = open_.pop()
        if id(cls) in seen:
            continue
        seen.add(id(cls))
        if text_of(QUALNAME_OF(cls)) in BARREN or cls is type:
            continue
        open_ += type.__subclasses__(cls)
        if text_of(MODULE_OF(cls), "").partition(".")[0] in PACKAGES or not bases.isdisjoint(map(id, MRO_OF(cls))):
            wanted[id(cls)] = cls
    return wanted


def is_library(filename: str) -> bool:
    """Whether a source file is of a package or of Python itself, and not of the program."""
    return "site-packages" in filename or "dist-packages" in filename or "/lib/python3" in filename or "<frozen" in filename


def of_loop(cls: Any) -> bool:
    """Whether it is an event loop, or what one keeps to be woken."""
    for one in MRO_OF(cls):
        module = text_of(MODULE_OF(one), "")
        if module in ("asyncio.events", "selectors", "asyncio.base_events") and (
            text_of(QUALNAME_OF(one)) in OF_THE_LOOP or "_run_once" in DICT_OF(one) or "get_map" in DICT_OF(one)
        ):
            return True
    return text_of(MODULE_OF(cls), "").startswith("uvloop") and text_of(QUALNAME_OF(cls)) in ("Loop", "Handle")


def rank_of_module(name: str, filename: str) -> int:
    """How likely a module is the program's: 0 it is, 1 a package that is installed, 2 a library known here or Python's."""
    package = name.partition(".")[0]
    if package in PACKAGES or package in sys.stdlib_module_names and package != "__main__":
        return 2
    return 1 if is_library(filename) else 0
