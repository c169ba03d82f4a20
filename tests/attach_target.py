"""A gateway-like program whose sockets are held in every way that `sockets --attach` is to name.

Each holder says next to it what is to be said of it: `seed(fd, ROOT, WAY)`. On stdin it takes one word a line: `state`
prints what would show something that was left behind, `called` which methods of the traps were called; the end of stdin
ends it.

    python attach_target.py [OBJECTS]     with so many more objects of the collector
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import http.client
import json
import os
import socket
import ssl
import stat
import subprocess
import sys
import threading
import traceback
import types
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import aiohttp
import httpx
import openai
import requests
import trustme
import urllib3

try:
    import httpx2
    import websockets.sync.client
    import websockets.sync.server
except ImportError:  # an environment without them: their holders are left out
    httpx2 = websockets = None

SEEDS: list[dict[str, Any]] = []
POOLS: list[dict[str, Any]] = []
CALLED: list[str] = []
SECRET = "sk-live-0123456789-of-a-session"


def seed(fd: int, root: str, *way: str) -> None:
    """Of this descriptor the walk is to say that root, and a way with these steps in this order."""
    assert fd >= 0
    SEEDS.append({"fd": fd, "root": root, "way": way})


def pool(kind: str, way: str, limit: int | None, used: int, idle: int, queued: int, lost: int) -> None:
    """Of the pool at the end of this way the walk is to count this."""
    counts = {"limit": limit, "used": used, "idle": idle, "queued": queued, "lost": lost}
    POOLS.append({"kind": kind, "way": way, **counts})


# --- a provider in a thread of its own, which answers, hangs, and speaks TLS ----------------------

AUTHORITY = trustme.CA()
SERVER_TLS = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
AUTHORITY.issue_cert("127.0.0.1", "localhost").configure_cert(SERVER_TLS)
CLIENT_TLS = ssl.create_default_context()
AUTHORITY.configure_trust(CLIENT_TLS)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Two bytes for each request, kept alive; the body of /hang never comes; CONNECT is refused."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if head.startswith(b"CONNECT"):
                writer.write(b"HTTP/1.1 403 no\r\ncontent-length: 0\r\n\r\n")
            elif b"/hang" in head:
                writer.write(b"HTTP/1.1 200 ok\r\ncontent-length: 9\r\n\r\n1")
            else:
                length = next(
                    (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), b":0"
                )
                await reader.readexactly(int(length.partition(b":")[2]))
                body = b'{"object":"list","data":[]}'
                head = b"HTTP/1.1 200 ok\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                writer.write(head % len(body) + body)
            await writer.drain()
    except (OSError, EOFError):
        pass


def provide() -> tuple[tuple[str, int], tuple[str, int]]:
    """The provider's addresses, the plain one and the one with TLS."""
    addresses: list[tuple[str, int]] = []
    ready = threading.Event()

    async def serve() -> None:
        servers = [await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls) for tls in (None, SERVER_TLS)]
        addresses.extend(server.sockets[0].getsockname() for server in servers)
        ready.set()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(serve()), name="provider", daemon=True).start()
    ready.wait(10)
    return addresses[0], addresses[1]


PLAIN, SECURE = provide()
URL, SECURE_URL = f"http://127.0.0.1:{PLAIN[1]}/", f"https://localhost:{SECURE[1]}/"


def connect() -> socket.socket:
    return socket.create_connection(PLAIN)


def _towards() -> set[tuple[int, Any]]:
    """Connections to the provider: (descriptor, own address), since a descriptor may be given again."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            one = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue  # has been closed meanwhile
        with one:
            try:
                if one.getpeername()[:2] in (PLAIN, SECURE):
                    found.add((int(name), one.getsockname()))
            except OSError:
                continue
    return found


class Opened:
    """The descriptor of the one connection that is made within."""

    fd = -1

    def __enter__(self) -> Opened:
        self.before = _towards()
        return self

    def __exit__(self, *exc: object) -> None:
        ((self.fd, _),) = _towards() - self.before


# --- plain sockets --------------------------------------------------------------------------------

GLOBAL = connect()
seed(GLOBAL.fileno(), "module", "__main__.GLOBAL")

BY_SESSION = {SECRET: connect(), "agent": connect()}
seed(BY_SESSION[SECRET].fileno(), "module", "__main__.BY_SESSION[...]")
seed(BY_SESSION["agent"].fileno(), "module", "__main__.BY_SESSION[agent]")

NESTED = [[], [{"it": (0, connect())}]]
seed(NESTED[1][0]["it"][1].fileno(), "module", "__main__.NESTED[1][0][it][1]")

IN_A_SET = {connect()}
seed(next(iter(IN_A_SET)).fileno(), "module", "__main__.IN_A_SET[...]")

IN_A_DEQUE = deque([connect()])
seed(IN_A_DEQUE[0].fileno(), "module", "__main__.IN_A_DEQUE[...]")


class Registry:
    shared = connect()
    cache: ClassVar = {1: connect()}


seed(Registry.shared.fileno(), "class", "__main__.Registry.shared")
seed(Registry.cache[1].fileno(), "class", "__main__.Registry.cache[...]")


class Agent:
    def __init__(self) -> None:
        self.sock = connect()


AGENTS = {SECRET: Agent()}
seed(AGENTS[SECRET].sock.fileno(), "module", "__main__.AGENTS[...]", "__main__.Agent.sock")


class Slotted:
    __slots__ = ("line",)


SLOTTED = Slotted()
SLOTTED.line = connect()
seed(SLOTTED.line.fileno(), "module", "__main__.SLOTTED", "__main__.Slotted.line")


@dataclass
class Record:
    link: socket.socket


RECORDS = [Record(connect())]
seed(RECORDS[0].link.fileno(), "module", "__main__.RECORDS[0]", "__main__.Record.link")


class Loose:
    pass


LOOSE = Loose()
vars(LOOSE)["added"] = connect()
seed(vars(LOOSE)["added"].fileno(), "module", "__main__.LOOSE", "__main__.Loose.added")


def with_default(timeout: int = 1, line: socket.socket = connect(), *, other: socket.socket = connect()) -> None: ...


assert with_default.__defaults__
assert with_default.__kwdefaults__
seed(with_default.__defaults__[1].fileno(), "function", "default of argument line of __main__.with_default")
seed(with_default.__kwdefaults__["other"].fileno(), "function", "default of argument other of __main__.with_default")


def decorate() -> Any:
    kept = connect()
    seed(kept.fileno(), "function", "variable kept kept by function __main__.decorate.inner")

    def inner() -> int:
        return kept.fileno()

    return inner


decorated = decorate()


class Method:
    def __init__(self) -> None:
        self.line = connect()
        seed(self.line.fileno(), "module", "__main__.CALLBACKS[0]", "bound method Method.call", "__main__.Method.line")

    def call(self) -> None: ...


CALLBACKS = [Method().call]
PARTIAL = functools.partial(print, connect())
seed(PARTIAL.args[0].fileno(), "module", "__main__.PARTIAL", "functools.partial")

module = types.ModuleType("run_agent")
sys.modules["run_agent"] = module
module._clients = {"x": connect()}  # type: ignore[attr-defined]
seed(module._clients["x"].fileno(), "module", "run_agent._clients[x]")
del module

VARIABLE: contextvars.ContextVar[Any] = contextvars.ContextVar("current_line")
VARIABLE.set(connect())
seed(VARIABLE.get().fileno(), "context", "context variable current_line")

LOCAL = threading.local()
LOCAL.line = connect()
seed(LOCAL.line.fileno(), "module", "__main__.LOCAL")


def stream() -> Iterator[int]:
    line = connect()
    yield line.fileno()
    line.close()


STREAMS = [stream()]
seed(next(STREAMS[0]), "module", "__main__.STREAMS[0]", "generator that waits: local variable line of stream (")


def cycle_of_a_dict() -> None:
    knot: dict[str, Any] = {"line": connect()}
    knot["self"] = knot
    seed(knot["line"].fileno(), "cycle", "a cycle that only the collector can free")


def cycle_of_objects() -> None:
    one, other = Loose(), Agent()
    one.other, other.one = other, one  # type: ignore[attr-defined]
    seed(other.sock.fileno(), "cycle", "a cycle that only the collector can free", "__main__.Agent.sock")


ERRORS: list[BaseException] = []


def fails() -> None:
    lost = connect()
    seed(lost.fileno(), "module", "__main__.ERRORS[0]", "kept by a traceback: local variable lost of fails (")
    raise ValueError


try:
    fails()
except ValueError as exc:
    ERRORS.append(exc)

PLAIN_FILE = open(__file__, "rb")  # noqa: SIM115
seed(PLAIN_FILE.fileno(), "module", "__main__.PLAIN_FILE", "_io.BufferedReader")
CHILD = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
assert CHILD.stdin is not None
seed(CHILD.stdin.fileno(), "module", "__main__.CHILD", "subprocess.Popen.stdin")


def made_a_file() -> Any:
    line = connect()
    return line.makefile("rb")


REPLY = made_a_file()
seed(REPLY.fileno(), "module", "__main__.REPLY", "socket.SocketIO._sock")
BARE = connect().detach()  # a number: no object has it


class Trap:
    """Says that it was touched, whatever is done with it."""

    def __init__(self) -> None:
        self.line = connect()

    def __getattr__(self, name: str) -> Any:
        CALLED.append(f"__getattr__ {name}")
        raise AttributeError(name)

    @property
    def __class__(self) -> Any:
        CALLED.append("__class__")
        return Trap

    @property
    def fileno(self) -> Any:
        CALLED.append("fileno")
        return 1

    def __eq__(self, other: object) -> bool:
        CALLED.append("__eq__")
        return False

    def __hash__(self) -> int:
        CALLED.append("__hash__")
        return 1

    def __repr__(self) -> str:
        CALLED.append("__repr__")
        return "trap"

    __str__ = __repr__

    def __bool__(self) -> bool:
        CALLED.append("__bool__")
        return True

    def __len__(self) -> int:
        CALLED.append("__len__")
        return 1

    def __iter__(self) -> Iterator[int]:
        CALLED.append("__iter__")
        return iter(())

    def __del__(self) -> None:
        CALLED.append("__del__")


class TrapDict(dict[Any, Any]):
    def items(self) -> Any:
        CALLED.append("items")
        return super().items()

    def __getitem__(self, key: Any) -> Any:
        CALLED.append("__getitem__")
        return super().__getitem__(key)

    def __iter__(self) -> Any:
        CALLED.append("__iter__ of a dict")
        return super().__iter__()


class TrapType(type):
    def __hash__(cls) -> int:
        CALLED.append("__hash__ of a class")
        return 7

    def __eq__(cls, other: object) -> bool:
        CALLED.append("__eq__ of a class")
        return cls is other

    def __getattribute__(cls, name: str) -> Any:
        CALLED.append(f"__getattribute__ {name} of a class")
        return super().__getattribute__(name)


class OfTrapType(metaclass=TrapType):
    def __init__(self) -> None:
        self.line = connect()


class TrapSocket(socket.socket):
    def fileno(self) -> int:
        CALLED.append("fileno of a socket")
        return -1

    def __getattribute__(self, name: str) -> Any:
        CALLED.append(f"{name} of a socket")
        return super().__getattribute__(name)


TRAPS = [Trap()]
seed(vars(TRAPS[0])["line"].fileno(), "module", "__main__.TRAPS[0]", "__main__.Trap.line")
TRAP_KEYS = {1: {TRAPS[0]: connect()}}
seed(next(iter(TRAP_KEYS[1].values())).fileno(), "module", "__main__.TRAP_KEYS[...][...]")
TRAP_DICT = TrapDict(line=connect())
seed(TRAP_DICT["line"].fileno(), "module", "__main__.TRAP_DICT[line]")
OF_TRAP_TYPE = OfTrapType()
seed(OF_TRAP_TYPE.line.fileno(), "module", "__main__.OF_TRAP_TYPE", "__main__.OfTrapType.line")
TRAP_SOCKET = TrapSocket()
TRAP_SOCKET.connect(PLAIN)
seed(socket.socket.fileno(TRAP_SOCKET), "module", "__main__.TRAP_SOCKET")

# --- clients --------------------------------------------------------------------------------------

HTTPX = ("httpx.Client._transport", "httpx.HTTPTransport._pool", "httpcore.ConnectionPool._connections[0]")

with Opened() as opened:
    CLIENTS = {SECRET: openai.OpenAI(api_key="x", base_url=URL)}
    CLIENTS[SECRET].models.list()
seed(opened.fd, "module", "__main__.CLIENTS[...]", "openai.OpenAI._client", "httpcore.SyncStream._sock")

with Opened() as opened:
    HTTP = httpx.Client(limits=httpx.Limits(max_connections=7))
    HTTP.get(URL)
seed(
    opened.fd,
    "module",
    "__main__.HTTP",
    *HTTPX,
    "httpcore.HTTP11Connection._network_stream",
    "httpcore.SyncStream._sock",
)
pool("httpcore.ConnectionPool", "__main__.HTTP", 7, 0, 1, 0, 0)

with Opened() as opened:
    BUSY = httpx.Client()
    RESPONSE = BUSY.send(BUSY.build_request("GET", URL + "hang"), stream=True)
seed(opened.fd, "module", "httpcore.SyncStream._sock")
pool("httpcore.ConnectionPool", "__main__.BUSY", 100, 1, 0, 0, 0)

with Opened() as opened:
    TLS_CLIENT = httpx.Client(verify=CLIENT_TLS)
    TLS_CLIENT.get(SECURE_URL)
seed(opened.fd, "module", "__main__.TLS_CLIENT", *HTTPX, "httpcore.SyncStream._sock")

GONE = httpx.Client()
GONE_RESPONSE = GONE.send(GONE.build_request("GET", URL + "hang"), stream=True)
GONE_RESPONSE.extensions["network_stream"].get_extra_info("socket").close()
pool("httpcore.ConnectionPool", "__main__.GONE", 100, 1, 0, 0, 1)

TUNNEL = httpx.Client(proxy=URL, verify=CLIENT_TLS)
with contextlib.suppress(httpx.ProxyError):
    TUNNEL.get(SECURE_URL)

with Opened() as opened:
    SESSION = requests.Session()
    SESSION.get(URL)
seed(opened.fd, "module", "__main__.SESSION", "requests.Session.adapters", "urllib3.HTTPConnection.sock")

with Opened() as opened:
    MANAGER = urllib3.PoolManager(maxsize=3)
    MANAGER.request("GET", URL)
seed(opened.fd, "module", "__main__.MANAGER", "urllib3.HTTPConnectionPool.pool", "urllib3.HTTPConnection.sock")
pool("urllib3.HTTPConnectionPool", "__main__.MANAGER", 3, 0, 1, 0, 0)

with Opened() as opened:
    HELD = urllib3.HTTPConnectionPool("127.0.0.1", PLAIN[1], maxsize=2)
    HELD_RESPONSE = HELD.urlopen("GET", "/hang", preload_content=False)
seed(opened.fd, "module", "__main__.HELD_RESPONSE")
pool("urllib3.HTTPConnectionPool", "__main__.HELD", 2, 1, 0, 0, 0)

OLD = http.client.HTTPConnection(*PLAIN)
OLD.connect()
seed(OLD.sock.fileno(), "module", "__main__.OLD", "http.HTTPConnection.sock")

WRAPPED = [CLIENT_TLS.wrap_socket(socket.create_connection(SECURE), server_hostname="localhost")]
seed(WRAPPED[0].fileno(), "module", "__main__.WRAPPED[0]")

if httpx2 is not None:
    with Opened() as opened:
        HTTP2 = httpx2.Client()
        HTTP2.get(URL)
    seed(
        opened.fd, "module", "__main__.HTTP2", "httpcore2.ConnectionPool._connections[0]", "httpcore2.SyncStream._sock"
    )
    pool("httpcore2.ConnectionPool", "__main__.HTTP2", 100, 0, 1, 0, 0)
    CHAT = websockets.sync.server.serve(lambda line: line.recv(), "127.0.0.1", 0)
    threading.Thread(target=CHAT.serve_forever, name="chat", daemon=True).start()
    PLAIN_WEBSOCKET = websockets.sync.client.connect(f"ws://127.0.0.1:{CHAT.socket.getsockname()[1]}")
    fd = PLAIN_WEBSOCKET.socket.fileno()
    seed(fd, "module", "__main__.PLAIN_WEBSOCKET", "websockets.ClientConnection.socket")


def openai_in_a_cycle() -> None:
    """A client that nobody has any more, in a cycle of its own."""
    with Opened() as made:
        client = openai.OpenAI(api_key="x", base_url=URL)
        client.models.list()
    seed(made.fd, "cycle", "a cycle that only the collector can free", "openai.OpenAI._client", "SyncStream._sock")


# --- threads --------------------------------------------------------------------------------------

STAND = threading.Event()


def worker(ready: threading.Barrier) -> None:
    mine = connect()
    seed(mine.fileno(), "local", "local variable mine of worker (", "in thread 'worker-of-turns'")
    ready.wait()
    STAND.wait()


class Session(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="session-7", daemon=True)
        self.line = connect()
        seed(self.line.fileno(), "thread", "thread 'session-7'", "__main__.Session.line")

    def run(self) -> None:
        STAND.wait()


def job(ready: threading.Barrier) -> None:
    in_job = connect()
    seed(in_job.fileno(), "local", "local variable in_job of job (", "in thread 'pool_0'")
    ready.wait()
    STAND.wait()


def later(line: socket.socket) -> None: ...


EXECUTOR = ThreadPoolExecutor(1, thread_name_prefix="pool")


def start_threads() -> None:
    ready = threading.Barrier(3)
    threading.Thread(target=worker, args=(ready,), name="worker-of-turns", daemon=True).start()
    EXECUTOR.submit(job, ready)
    Session().start()
    ready.wait(10)
    waits = connect()
    seed(
        waits.fileno(),
        "module",
        "__main__.EXECUTOR",
        "concurrent.ThreadPoolExecutor._work_queue",
        "concurrent._WorkItem",
    )
    EXECUTOR.submit(later, waits)


# --- the loop -------------------------------------------------------------------------------------

KEPT: dict[str, Any] = {}


async def inner_of_a_task() -> None:
    deep = connect()
    seed(deep.fileno(), "task", "local variable deep of inner_of_a_task (", "where task 'turn-3' waits")
    await asyncio.Event().wait()


async def task_that_waits() -> None:
    outer = [connect()]
    seed(outer[0].fileno(), "task", "local variable outer[0] of task_that_waits (", "where task 'turn-3' waits")
    await inner_of_a_task()


async def numbers() -> AsyncIterator[int]:
    line = connect()
    seed(
        line.fileno(),
        "module",
        "__main__.KEPT[numbers]",
        "async generator that waits: local variable line of numbers (",
    )
    yield 1


async def nested_numbers() -> AsyncIterator[int]:
    within = connect()
    seed(within.fileno(), "task", "local variable within of nested_numbers (", "where task 'turn-4' waits")
    await asyncio.Event().wait()
    yield 1


async def reads_numbers() -> None:
    async for _ in nested_numbers():
        pass


async def async_clients() -> None:
    with Opened() as made:
        KEPT["http"] = httpx.AsyncClient()
        await KEPT["http"].get(URL)
    way = ("__main__.KEPT[http]", "httpx.AsyncClient._transport", "httpcore.AsyncConnectionPool._connections[0]")
    seed(made.fd, "module", *way, "httpcore.AnyIOStream._stream", "anyio.SocketStream._transport")
    pool("httpcore.AsyncConnectionPool", "__main__.KEPT[http]", 100, 0, 1, 0, 0)
    with Opened() as made:
        KEPT["openai"] = openai.AsyncOpenAI(api_key="x", base_url=URL)
        await KEPT["openai"].models.list()
    seed(made.fd, "module", "__main__.KEPT[openai]", "openai.AsyncOpenAI._client", "anyio.SocketStream._transport")
    with Opened() as made:
        KEPT["tls"] = httpx.AsyncClient(verify=CLIENT_TLS)
        await KEPT["tls"].get(SECURE_URL)
    seed(made.fd, "module", "__main__.KEPT[tls]", "httpx.AsyncClient._transport", "anyio.SocketStream._transport")
    with Opened() as made:
        KEPT["aiohttp"] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(keepalive_timeout=3600))
        async with KEPT["aiohttp"].get(URL) as response:
            await response.read()
    seed(
        made.fd,
        "module",
        "__main__.KEPT[aiohttp]",
        "aiohttp.ClientSession._connector",
        "aiohttp.ResponseHandler.transport",
    )
    pool("aiohttp.TCPConnector", "__main__.KEPT[aiohttp]", 100, 0, 1, 0, 0)
    with Opened() as made:
        KEPT["busy"] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1))
        KEPT["response"] = await KEPT["busy"].get(URL + "hang")
    seed(made.fd, "module", "aiohttp.ResponseHandler.transport")
    asyncio.ensure_future(KEPT["busy"].get(URL)).set_name("queued")
    while not KEPT["busy"].connector._waiters:
        await asyncio.sleep(0.01)
    pool("aiohttp.TCPConnector", "__main__.KEPT[busy]", 1, 1, 0, 1, 0)


async def starved_pool() -> None:
    """One of two requests has the one connection, the other waits for it."""
    KEPT["small"] = httpx.AsyncClient(limits=httpx.Limits(max_connections=1))
    request = KEPT["small"].build_request("GET", URL + "hang")
    with Opened() as made:
        KEPT["first"] = await KEPT["small"].send(request, stream=True)
    seed(made.fd, "module", "anyio.SocketStream._transport")
    asyncio.ensure_future(KEPT["small"].get(URL, timeout=None)).set_name("starved")
    while len(KEPT["small"]._transport._pool._requests) < 2:
        await asyncio.sleep(0.01)
    pool("httpcore.AsyncConnectionPool", "__main__.KEPT[small]", 1, 1, 0, 1, 0)


async def streams() -> None:
    _, writer = await asyncio.open_connection(*PLAIN)
    KEPT["writer"] = writer
    fd = writer.get_extra_info("socket").fileno()
    seed(
        fd,
        "module",
        "__main__.KEPT[writer]",
        "asyncio.StreamWriter._transport",
        "asyncio._SelectorSocketTransport._sock",
    )
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, *PLAIN)
    seed(transport.get_extra_info("socket").fileno(), "loop", "the event loop, which waits for it")


async def main(commands: Any) -> None:
    await async_clients()
    await starved_pool()
    await streams()
    KEPT["numbers"] = numbers()
    await anext(KEPT["numbers"])
    told = len(SEEDS)
    KEPT["tasks"] = [
        asyncio.create_task(task_that_waits(), name="turn-3"),
        asyncio.create_task(reads_numbers(), name="turn-4"),
    ]
    while len(SEEDS) < told + 3:
        await asyncio.sleep(0.01)
    mine = connect()
    seed(mine.fileno(), "task", "local variable mine of main (")
    seed(BARE, "bare")
    print(json.dumps({"seeds": SEEDS, "pools": POOLS}), flush=True)
    CALLED.clear()
    while True:
        await asyncio.sleep(0.02)
        while commands:
            word = commands.pop(0)
            if not word:
                return
            print(json.dumps(sorted(CALLED) if word == "called" else state()), flush=True)


def state() -> dict[str, Any]:
    """What would show that something was left behind; without the collector, which would hide it."""
    return {
        "modules": sorted(sys.modules),
        "threads": threading.active_count(),
        "fds": len(os.listdir("/proc/self/fd")),
        "objects": len(gc.get_objects()),
        "blocks": sys.getallocatedblocks(),
        "enabled": gc.isenabled(),
    }


def read_commands(commands: list[str]) -> None:
    for line in sys.stdin:
        commands.append(line.strip())
    commands.append("")


HEAP: list[Any] = []

if __name__ == "__main__":
    start_threads()
    HEAP += [[[], {"a": []}] for _ in range(int(sys.argv[1]) // 4 if len(sys.argv) > 1 else 0)]
    gc.collect()
    gc.disable()  # as one that runs seldom; the cycles below must stay until they were seen
    openai_in_a_cycle()
    cycle_of_a_dict()
    cycle_of_objects()
    given: list[str] = []
    threading.Thread(target=read_commands, args=(given,), daemon=True, name="commands").start()
    try:
        asyncio.run(main(given))
    except Exception:
        traceback.print_exc()
    finally:
        CHILD.kill()
        CHILD.wait()
        os._exit(0)  # threads that stand would keep it
