"""The types that the walk knows: built-in ones, and the classes of the libraries that hold sockets or keep pools."""

from __future__ import annotations

import sys
from typing import Any

from hermes_diag.leakguard.attach.inside.reading import (
    DICT_OF,
    MODULE_DICT,
    MODULE_OF,
    MRO_OF,
    QUALNAME_OF,
    is_type,
    text_of,
)

#: Packages whose own globals are not looked through, and through whose objects the way downwards leads.
PACKAGES = frozenset(
    (
        *(
            "socket",
            "ssl",
            "asyncio",
            "http",
            "urllib",
            "urllib3",
            "requests",
            "httpx",
            "httpcore",
            "httpx2",
            "httpcore2",
        ),
        *("openai", "anthropic", "aiohttp", "websockets", "anyio", "h11", "h2", "trio", "selectors", "queue"),
        *("collections", "subprocess", "concurrent", "threading", "socketserver", "_asyncio", "_io", "_ssl", "uvloop"),
    )
)
#: Packages with much in their globals and no sockets; there only passing the heap would find one.
QUIET = frozenset(
    (
        *("pydantic", "pydantic_core", "typing_extensions", "annotated_types", "certifi", "idna", "charset_normalizer"),
        *(
            "attr",
            "attrs",
            "yarl",
            "multidict",
            "frozenlist",
            "aiosignal",
            "propcache",
            "cryptography",
            "cffi",
            "jiter",
        ),
        *("distro", "sniffio", "tqdm", "numpy", "pandas", "rich", "typer", "click", "pygments", "yaml", "jinja2"),
        *("markupsafe", "msgspec", "psutil"),
    )
)
#: What is looked for in the heap, with all classes that derive from it: name -> (module, class) of each. Each class
#: more makes the search longer, so that transports and the like are found from these.
SOUGHT = {
    "socket": (("_socket", "socket"),),
    "file": (("_io", "FileIO"),),
    "task": (("_asyncio", "Task"),),
    "selector": (("selectors", "EpollSelector"),),
    "httpcore": tuple(
        (f"{package}.{kind}.connection_pool", name)
        for package in ("httpcore", "httpcore2")
        for kind, name in (("_sync", "ConnectionPool"), ("_async", "AsyncConnectionPool"))
    ),
    "urllib3": (("urllib3.connectionpool", "HTTPConnectionPool"),),
    "connection": (("urllib3.connection", "HTTPConnection"),),
    "aiohttp": (("aiohttp.connector", "TCPConnector"),),
}
#: Classes of clients, alone: looking for all that derive from them would take too long.
CLIENTS = (
    *((package, name) for package in ("httpx", "httpx2") for name in ("Client", "AsyncClient")),
    *(("openai._base_client", name) for name in ("SyncHttpxClientWrapper", "AsyncHttpxClientWrapper")),
    *(("openai", name) for name in ("OpenAI", "AsyncOpenAI")),
)
#: What the event loop holds to be woken. It leads to every socket of the loop, and so says nothing about who keeps it.
OF_THE_LOOP = frozenset(("Handle", "TimerHandle", "_SelectorMapping", "SelectorKey"))
KIND: dict[str, Any] = {}
#: Ids of the classes of containers, and of what waits in the middle of a function.
CONTAINERS: set[int] = set()
SUSPENDED: set[int] = set()
#: Class id -> its name in SOUGHT; and the classes themselves.
NAMED: dict[int, str] = {}
CLASSES: list[Any] = []


def learn() -> None:
    """The types that have no name in `builtins`, taken from things of that type; then the classes of SOUGHT."""
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
    KIND["cell"] = type((inner.__closure__ or ())[0])
    KIND["frame"] = type(sys._getframe())
    KIND["locals"] = type(sys._getframe().f_locals)
    KIND["method"] = type(inner.__get__(value))
    for name, module, own in (
        ("socket", "_socket", "socket"),
        ("file", "_io", "FileIO"),
        ("task", "_asyncio", "Task"),
        ("deque", "_collections", "deque"),
        ("epoll", "select", "epoll"),
    ):
        KIND[name] = global_of(module, own)
    CONTAINERS.update(map(id, (dict, list, tuple, set, frozenset, KIND["deque"])))
    SUSPENDED.update(id(KIND[one]) for one in ("coroutine", "generator", "asyncgen"))
    learn_classes()


def learn_classes() -> None:
    """The classes of SOUGHT and CLIENTS that the program has loaded."""
    for name, places in SOUGHT.items():
        open_ = [global_of(module, own) for module, own in places]
        while open_:
            cls = open_.pop()
            if cls is not None and id(cls) not in NAMED:
                NAMED[id(cls)] = name
                CLASSES.append(cls)
                open_ += type.__subclasses__(cls)
    for module, own in CLIENTS:
        cls = global_of(module, own)
        if cls is not None and is_type(cls):
            NAMED[id(cls)] = "client"
            CLASSES.append(cls)


def global_of(module: str, name: str) -> Any:
    """A global of a module that is loaded, else None."""
    loaded = sys.modules.get(module)
    return MODULE_DICT(loaded).get(name) if type(loaded) is type(sys) else None


def named(value: Any) -> str:
    """The name in SOUGHT of what a thing is, else ""."""
    return NAMED.get(id(type(value)), "")


def of_library(value: Any) -> bool:
    """Whether it is an object of a package that is known here."""
    return text_of(MODULE_OF(type(value)), "").partition(".")[0] in PACKAGES


def is_library(filename: str) -> bool:
    """Whether a source file is of a package or of Python itself, and not of the program."""
    return (
        "site-packages" in filename
        or "dist-packages" in filename
        or "/lib/python3" in filename
        or "<frozen" in filename
    )


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
    """How likely a module is the program's: 0 it is, 1 an installed package, 2 Python's or a library known here."""
    package = name.partition(".")[0]
    if package in PACKAGES or package in QUIET or (package in sys.stdlib_module_names and package != "__main__"):
        return 2
    return 1 if is_library(filename) else 0
