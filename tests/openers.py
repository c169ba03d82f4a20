"""A process that opens things in many ways and holds them: what `trace` must name the right line of.

Each function below is one way. The line that opens what is held ends in `# opens: NAME`. The line right before it,
which ends in `# twin`, opens the same and closes it again, so that the descriptor often gets the same number. Prints
what it holds as one line of JSON, and leaves at the end of its stdin. Run by tests/test_openers.py, or alone:

python tests/openers.py [SEED] [--busy]     busy: threads beside it open and close things all the time
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import ctypes
import gc
import gzip
import http.client
import json
import logging
import mmap
import multiprocessing
import os
import random
import signal
import socket
import socketserver
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

TURN: dict[str, Any] = {"model": "gpt-5", "input": "hi"}
V4 = "127.0.0.1"


class World:
    """What the ways to open share, all made before they begin."""

    def __init__(self, provider: str, websocket: str, folder: Path) -> None:
        self.provider, self.websocket, self.folder = provider, websocket, folder
        self.listener = socket.create_server((V4, 0), backlog=1024)  # nobody accepts: that is no matter to a client
        self.address: tuple[str, int] = self.listener.getsockname()
        self.port = self.address[1]
        self.kept: list[object] = []
        self.others: set[tuple[str, str]] = set()  # descriptors that are not the ones in question
        self.children: list[int] = []
        self.held: list[dict[str, Any]] = []
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.trio = self._trio()

    def _trio(self) -> Any:
        """The token by which functions are run in a thread with trio."""
        import trio

        found: list[Any] = []
        ready = threading.Event()

        async def stay() -> None:
            found.append(trio.lowlevel.current_trio_token())
            ready.set()
            await trio.sleep_forever()

        threading.Thread(target=trio.run, args=(stay,), daemon=True).start()
        ready.wait()
        return found[0]

    def wait_for(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def client(self, address: Any) -> socket.socket:
        """The other end of what is accepted here."""
        made = socket.create_connection(address)
        self.kept.append(made)
        self.others.add(shown(made.fileno()))
        return made

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def child(self, work: Callable[[], object]) -> Any:
        """What a forked child returns; it stays until it is killed."""
        ours, theirs = os.pipe()
        pid = os.fork()
        if not pid:
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            self.others |= {shown(ours), shown(theirs)}
            BUSY.clear()  # those threads are the parent's
            os.write(theirs, json.dumps(work()).encode())
            os.close(theirs)
            while True:
                signal.pause()
        self.children.append(pid)
        os.close(theirs)
        with open(ours, "rb") as file:
            return json.loads(file.read())


WAYS: dict[str, Callable[[World], object]] = {}
THREADS: set[str] = set()


def way(function: Callable[[World], object]) -> Callable[[World], object]:
    WAYS[function.__name__] = function
    return function


def threads(function: Callable[[World], object]) -> Callable[[World], object]:
    """The held thing is a thread."""
    THREADS.add(function.__name__)
    return way(function)


# --- sockets of the socket module ----------------------------------------------------------------


@way
def never_connected(world: World) -> object:
    socket.socket().close()  # twin
    return socket.socket()  # opens: never_connected


@way
def connected(world: World) -> object:
    socket.create_connection(world.address).close()  # twin
    return socket.create_connection(world.address)  # opens: connected


@way
def connected_later(world: World) -> object:
    """The line that made it is told, and not the one that connects it."""
    socket.socket().close()  # twin
    made = socket.socket()  # opens: connected_later
    made.connect(world.address)
    return made


@way
def connect_ex(world: World) -> object:
    socket.socket().close()  # twin
    made = socket.socket()  # opens: connect_ex
    made.setblocking(False)
    made.connect_ex(world.address)
    return made


@way
def datagram(world: World) -> object:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()  # twin
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # opens: datagram


@way
def unix(world: World) -> object:
    socket.socket(socket.AF_UNIX).close()  # twin
    made = socket.socket(socket.AF_UNIX)  # opens: unix
    made.bind(world.path("unix"))
    return made


@way
def ipv6(world: World) -> object:
    socket.socket(socket.AF_INET6).close()  # twin
    return socket.socket(socket.AF_INET6)  # opens: ipv6


@way
def bound(world: World) -> object:
    socket.socket().close()  # twin
    made = socket.socket()  # opens: bound
    made.bind((V4, 0))
    made.listen()
    return made


@way
def create_server(world: World) -> object:
    socket.create_server((V4, 0)).close()  # twin
    return socket.create_server((V4, 0))  # opens: create_server


@way
def pair(world: World) -> object:
    for one in socket.socketpair():  # twin
        one.close()
    return socket.socketpair()  # opens: pair


@way
def accepted(world: World) -> object:
    with socket.create_server((V4, 0)) as server:
        world.client(server.getsockname()), world.client(server.getsockname())
        server.accept()[0].close()  # twin
        return server.accept()  # opens: accepted


@way
def socket_dup(world: World) -> object:
    with socket.socket() as first:
        first.dup().close()  # twin
        return first.dup()  # opens: socket_dup


@way
def os_dup(world: World) -> object:
    """os.dup() opens no socket: the line that made the socket is told."""
    socket.socket().close()  # twin
    made = socket.socket()  # opens: os_dup
    return made, os.dup(made.fileno())


@way
def detached(world: World) -> object:
    os.close(socket.socket().detach())  # twin
    return socket.create_connection(world.address).detach()  # opens: detached


@way
def adopted(world: World) -> object:
    """An object made around a descriptor opens nothing: the line that opened the descriptor is told."""
    fd = socket.create_connection(world.address).detach()  # opens: adopted
    return socket.socket(fileno=fd)


@way
def fromfd(world: World) -> object:
    with socket.socket() as first:
        socket.fromfd(first.fileno(), socket.AF_INET, socket.SOCK_STREAM).close()  # twin
        return socket.fromfd(first.fileno(), socket.AF_INET, socket.SOCK_STREAM)  # opens: fromfd


@way
def received(world: World) -> object:
    """A descriptor of another process, which comes in a message."""
    ours, theirs = socket.socketpair()

    def send() -> None:
        with socket.create_connection(world.address) as made:
            theirs.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [made.fileno()]))])

    with ours, theirs:
        world.child(send)
        fd = socket.recv_fds(ours, 1, 1)[1][0]
        return socket.socket(fileno=fd)  # opens: received


@way
def makefile(world: World) -> object:
    socket.create_connection(world.address).close()  # twin
    made = socket.create_connection(world.address)  # opens: makefile
    file = made.makefile()
    made.close()
    return file


@way
def tls(world: World) -> object:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    socket.create_connection(world.address).close()  # twin
    made = socket.create_connection(world.address)  # opens: tls
    return context.wrap_socket(made, do_handshake_on_connect=False)


@way
def in_a_map(world: World) -> object:
    next(map(socket.create_connection, [world.address])).close()  # twin
    return list(map(socket.create_connection, [world.address]))  # opens: in_a_map


@way
def generator(world: World) -> object:
    def made() -> Iterator[socket.socket]:
        socket.create_connection(world.address).close()  # twin
        yield socket.create_connection(world.address)  # opens: generator

    return list(made())


@way
def context_manager(world: World) -> object:
    @contextlib.contextmanager
    def made() -> Iterator[socket.socket]:
        yield socket.create_connection(world.address)  # opens: context_manager

    stack = contextlib.ExitStack()
    return stack, stack.enter_context(made())


@way
def cycle(world: World) -> object:
    """Nobody has it any more, but for the garbage collector, which is off."""
    socket.create_connection(world.address).close()  # twin
    ring: list[object] = [socket.create_connection(world.address)]  # opens: cycle
    ring.append(ring)
    return None


# --- HTTP ----------------------------------------------------------------------------------------


@way
def http_client(world: World) -> object:
    made = http.client.HTTPConnection(*world.address)
    made.connect()  # twin
    made.close()
    made.connect()  # opens: http_client
    return made


@way
def urllib_request(world: World) -> object:
    urllib.request.urlopen(f"{world.provider}/models").close()  # twin
    return urllib.request.urlopen(f"{world.provider}/models")  # opens: urllib_request


@way
def requests_session(world: World) -> object:
    import requests

    requests.get(f"{world.provider}/models")  # twin
    session = requests.Session()
    return session, session.get(f"{world.provider}/models")  # opens: requests_session


@way
def urllib3_pool(world: World) -> object:
    import urllib3

    with urllib3.PoolManager() as twin:
        twin.request("GET", f"{world.provider}/models")  # twin
    pool = urllib3.PoolManager()
    return pool, pool.request("GET", f"{world.provider}/models")  # opens: urllib3_pool


@way
def httpx_client(world: World) -> object:
    import httpx

    httpx.get(f"{world.provider}/models")  # twin
    client = httpx.Client()
    return client, client.get(f"{world.provider}/models")  # opens: httpx_client


@way
def httpx_async(world: World) -> object:
    import httpx

    async def turn() -> object:
        async with httpx.AsyncClient() as twin:
            await twin.get(f"{world.provider}/models")  # twin
        client = httpx.AsyncClient()
        return client, await client.get(f"{world.provider}/models")  # opens: httpx_async

    return world.wait_for(turn())


@way
def openai_client(world: World) -> object:
    import openai

    with openai.OpenAI(base_url=world.provider, api_key="none") as twin:
        twin.responses.create(**TURN)  # twin
    client = openai.OpenAI(base_url=world.provider, api_key="none")
    return client, client.responses.create(**TURN)  # opens: openai_client


@way
def openai_stream(world: World) -> object:
    import openai

    client = openai.OpenAI(base_url=world.provider, api_key="none")
    return client, client.responses.create(**TURN, stream=True)  # opens: openai_stream


@way
def openai_async(world: World) -> object:
    import openai

    async def turn() -> object:
        async with openai.AsyncOpenAI(base_url=world.provider, api_key="none") as twin:
            await twin.responses.create(**TURN)  # twin
        client = openai.AsyncOpenAI(base_url=world.provider, api_key="none")
        return client, await client.responses.create(**TURN)  # opens: openai_async

    return world.wait_for(turn())


@way
def aiohttp_session(world: World) -> object:
    import aiohttp

    async def turn() -> object:
        async with aiohttp.ClientSession() as twin, twin.get(f"{world.provider}/models") as answer:  # twin
            await answer.read()
        session = aiohttp.ClientSession()
        return session, await session.get(f"{world.provider}/models")  # opens: aiohttp_session

    return world.wait_for(turn())


@way
def websocket(world: World) -> object:
    from websockets.sync.client import connect

    with connect(world.websocket):  # twin
        pass
    stack = contextlib.ExitStack()
    return stack, stack.enter_context(connect(world.websocket))  # opens: websocket


@way
def websocket_async(world: World) -> object:
    from websockets.asyncio.client import connect

    async def turn() -> object:
        await (await connect(world.websocket)).close()  # twin
        return await connect(world.websocket)  # opens: websocket_async

    return world.wait_for(turn())


# --- asyncio, trio, anyio ------------------------------------------------------------------------


@way
def open_connection(world: World) -> object:
    async def turn() -> object:
        _, writer = await asyncio.open_connection(*world.address)  # twin
        writer.close()
        await writer.wait_closed()
        return await asyncio.open_connection(*world.address)  # opens: open_connection

    return world.wait_for(turn())


@way
def happy_eyeballs(world: World) -> object:
    """The event loop makes a task by itself, in which the socket is opened."""

    async def turn() -> object:
        return await asyncio.open_connection("localhost", world.port, happy_eyeballs_delay=0.2)  # opens: happy_eyeballs

    return world.wait_for(turn())


@way
def asyncio_server(world: World) -> object:
    async def turn() -> object:
        (await asyncio.start_server(print, V4, 0)).close()  # twin
        return await asyncio.start_server(print, V4, 0)  # opens: asyncio_server

    return world.wait_for(turn())


@way
def asyncio_accepted(world: World) -> object:
    """The line that made the server is told of what it accepts."""

    async def turn() -> object:
        came: asyncio.Queue[object] = asyncio.Queue()

        async def keep(*streams: object) -> None:
            came.put_nowait(streams)

        server = await asyncio.start_server(keep, V4, 0)  # opens: asyncio_accepted
        world.client(server.sockets[0].getsockname())
        return server, await came.get()

    return world.wait_for(turn())


@way
def task(world: World) -> object:
    async def connect() -> object:
        return await asyncio.open_connection(*world.address)  # opens: task

    async def turn() -> object:
        return await asyncio.create_task(connect())

    return world.wait_for(turn())


@way
def gather(world: World) -> object:
    async def turn() -> object:
        return await asyncio.gather(asyncio.open_connection(*world.address))  # opens: gather

    return world.wait_for(turn())


@way
def wait_for(world: World) -> object:
    async def turn() -> object:
        return await asyncio.wait_for(asyncio.open_connection(*world.address), 10)  # opens: wait_for

    return world.wait_for(turn())


@way
def group_of_a_library(world: World) -> object:
    """anyio tries several addresses in a group of tasks."""
    import anyio

    async def turn() -> object:
        await (await anyio.connect_tcp("localhost", world.port)).aclose()  # twin
        return await anyio.connect_tcp("localhost", world.port)  # opens: group_of_a_library

    return world.wait_for(turn())


@way
def to_thread(world: World) -> object:
    def connect() -> object:
        return socket.create_connection(world.address)  # opens: to_thread

    async def turn() -> object:
        return await asyncio.to_thread(connect)

    return world.wait_for(turn())


@way
def run_in_executor(world: World) -> object:
    def connect() -> object:
        return socket.create_connection(world.address)  # opens: run_in_executor

    async def turn() -> object:
        return await asyncio.get_running_loop().run_in_executor(None, connect)

    return world.wait_for(turn())


@way
def new_event_loop(world: World) -> object:
    asyncio.new_event_loop().close()  # twin
    return asyncio.new_event_loop()  # opens: new_event_loop


@way
def asyncio_subprocess(world: World) -> object:
    """The pipe to its stdin, which asyncio makes of a pair of sockets."""

    async def turn() -> object:
        made = await asyncio.create_subprocess_exec("cat", stdin=-1)  # opens: asyncio_subprocess
        world.children.append(made.pid)
        return made

    return world.wait_for(turn())


@way
def trio_stream(world: World) -> object:
    import trio

    async def turn() -> object:
        await (await trio.open_tcp_stream(V4, world.port)).aclose()  # twin
        return await trio.open_tcp_stream(V4, world.port)  # opens: trio_stream

    return trio.from_thread.run(turn, trio_token=world.trio)


@way
def trio_nursery(world: World) -> object:
    import trio

    async def turn() -> object:
        found: list[object] = []

        async def connect() -> None:
            found.append(await trio.open_tcp_stream(V4, world.port))  # opens: trio_nursery

        async with trio.open_nursery() as nursery:
            nursery.start_soon(connect)
        return found

    return trio.from_thread.run(turn, trio_token=world.trio)


# --- threads -------------------------------------------------------------------------------------


@way
def in_a_thread(world: World) -> object:
    def connect() -> None:
        socket.create_connection(world.address).close()  # twin
        world.kept.append(socket.create_connection(world.address))  # opens: in_a_thread

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join()
    return None


@way
def in_an_executor(world: World) -> object:
    def connect() -> object:
        return socket.create_connection(world.address)  # opens: in_an_executor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(connect).result()


@way
def in_no_line_of_ours(world: World) -> object:
    """No line of the program is in that thread: the line that started the thread is told."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(socket.create_connection, world.address).result()  # opens: in_no_line_of_ours


@way
def threading_server(world: World) -> object:
    """The thread that accepts runs lines of Python only: the line that made the server is told."""
    came = threading.Event()

    class Keep(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            world.kept.append(self.request)
            came.set()

        def finish(self) -> None:
            self.server.shutdown_request = lambda request: None

    server = socketserver.TCPServer((V4, 0), Keep)  # opens: threading_server
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    world.client(server.server_address)
    came.wait()
    server.shutdown()  # returns when serve_forever has closed its selector
    return server


@threads
def thread(world: World) -> object:
    end = threading.Event()
    made = threading.Thread(target=end.wait, daemon=True)
    made.start()  # opens: thread
    return made


@threads
def executor_thread(world: World) -> object:
    pool = ThreadPoolExecutor(1)
    pool.submit(int).result()  # opens: executor_thread
    return pool


@threads
def timer(world: World) -> object:
    made = threading.Timer(3600, print)
    made.daemon = True
    made.start()  # opens: timer
    return made


# --- pipes and files -----------------------------------------------------------------------------


@way
def pipe(world: World) -> object:
    for fd in os.pipe():  # twin
        os.close(fd)
    return os.pipe()  # opens: pipe


@way
def popen(world: World) -> object:
    with subprocess.Popen(["cat"], stdin=-1, stdout=-1) as twin:  # twin
        twin.communicate()
    made = subprocess.Popen(["cat"], stdin=-1, stdout=-1, stderr=-1)  # opens: popen
    world.children.append(made.pid)
    return made


@way
def multiprocessing_pipe(world: World) -> object:
    for one in multiprocessing.Pipe():  # twin
        one.close()
    return multiprocessing.Pipe()  # opens: multiprocessing_pipe


@way
def multiprocessing_simplex(world: World) -> object:
    return multiprocessing.Pipe(duplex=False)  # opens: multiprocessing_simplex


@way
def multiprocessing_queue(world: World) -> object:
    return multiprocessing.SimpleQueue()  # opens: multiprocessing_queue


@way
def eventfd(world: World) -> object:
    os.close(os.eventfd(0))  # twin
    return os.eventfd(0)  # opens: eventfd


@way
def memfd(world: World) -> object:
    os.close(os.memfd_create("twin"))  # twin
    return os.memfd_create("memfd")  # opens: memfd


@way
def terminal(world: World) -> object:
    for fd in os.openpty():  # twin
        os.close(fd)
    return os.openpty()  # opens: terminal


@way
def opened_file(world: World) -> object:
    open(world.path("file"), "w").close()  # twin
    return open(world.path("file"), "w")  # opens: opened_file


@way
def os_open(world: World) -> object:
    os.close(os.open(world.path("os_open"), os.O_CREAT))  # twin
    return os.open(world.path("os_open"), os.O_CREAT)  # opens: os_open


@way
def path_open(world: World) -> object:
    Path(world.path("path_open")).open("w").close()  # twin
    return Path(world.path("path_open")).open("w")  # opens: path_open


@way
def temporary(world: World) -> object:
    tempfile.TemporaryFile(dir=world.folder).close()  # twin
    return tempfile.TemporaryFile(dir=world.folder)  # opens: temporary


@way
def named_temporary(world: World) -> object:
    tempfile.NamedTemporaryFile(dir=world.folder).close()  # twin
    return tempfile.NamedTemporaryFile(dir=world.folder)  # opens: named_temporary


@way
def gzip_file(world: World) -> object:
    gzip.open(world.path("gzip"), "w").close()  # twin
    return gzip.open(world.path("gzip"), "w")  # opens: gzip_file


@way
def log_file(world: World) -> object:
    logging.FileHandler(world.path("log")).close()  # twin
    return logging.FileHandler(world.path("log"))  # opens: log_file


@way
def database(world: World) -> object:
    sqlite3.connect(world.path("twin.db")).close()  # twin
    made = sqlite3.connect(world.path("database.db"))  # opens: database
    made.execute("create table one (two)")
    return made


@way
def mapped(world: World) -> object:
    with open(world.path("mapped"), "w+b") as file:  # opens: mapped
        file.truncate(4096)
        file.flush()
        return mmap.mmap(file.fileno(), 4096)


# --- other processes -----------------------------------------------------------------------------


@way
def fork(world: World) -> object:
    """Opened in a forked child."""

    def work() -> object:
        before = listing()
        socket.create_connection(world.address).close()  # twin
        world.kept.append(socket.create_connection(world.address))  # opens: fork
        return told("fork", world, before)

    world.held.append(world.child(work))
    return None


@way
def inherited(world: World) -> object:
    """A forked child holds what its parent opened before."""
    with socket.create_connection(world.address) as made:  # opens: inherited
        world.held.append(world.child(lambda: {"name": "inherited", "pid": os.getpid(), "fds": [made.fileno()]}))


@way
def prefork(world: World) -> object:
    """A server whose workers are forked, and accept."""
    with socket.create_server((V4, 0)) as server:
        world.client(server.getsockname())

        def work() -> object:
            before = listing()
            world.kept.append(server.accept())  # opens: prefork
            return told("prefork", world, before)

        world.held.append(world.child(work))


@way
def handed_down(world: World) -> object:
    """Another program gets it from its parent, which keeps it too."""
    code = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read()"
    made = socket.create_connection(world.address)  # opens: handed_down
    child = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, pass_fds=[made.fileno()])
    world.children.append(child.pid)
    assert child.stdout is not None
    assert child.stdin is not None
    world.held.append({"name": "handed_down", "pid": int(child.stdout.readline()), "fds": [made.fileno()]})
    world.others |= {shown(child.stdin.fileno()), shown(child.stdout.fileno())}
    return made, child


@way
def spawn(world: World) -> object:
    """A function in another process, by multiprocessing: the module runs there once more, under another name."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=spawned, args=(theirs, world.address), daemon=True)
    child.start()
    world.children.append(child.pid or 0)
    theirs.close()
    world.held.append(ours.recv())
    world.kept += [child, ours]
    world.others |= listing()  # multiprocessing keeps several pipes to its children


def spawned(channel: Any, address: tuple[str, int]) -> None:
    with socket.create_connection(address) as made:  # opens: spawn
        channel.send({"name": "spawn", "pid": os.getpid(), "fds": [made.fileno()]})
        while True:
            signal.pause()


# --- which of them are held ----------------------------------------------------------------------


def shown(fd: int | str) -> tuple[str, str]:
    return str(fd), os.readlink(f"/proc/self/fd/{fd}")


def listing() -> set[tuple[str, str]]:
    """(descriptor, what the kernel shows of it), but for the recorder's own."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            found.add(shown(fd))
    return {one for one in found if not one[1].endswith(".box")}


def told(name: str, world: World, before: set[tuple[str, str]]) -> dict[str, Any]:
    """Of a forked child: what it has and its parent had not."""
    return {"name": name, "pid": os.getpid(), "fds": sorted(int(fd) for fd, _ in listing() - before - world.others)}


BUSY: list[threading.Lock] = []


@contextlib.contextmanager
def quiet() -> Iterator[set[tuple[str, str]]]:
    """What is open while no busy thread has anything open; the threads go on within the block."""
    with contextlib.ExitStack() as stack:
        for lock in BUSY:
            stack.enter_context(lock)
        found = listing()
    yield found


def busy(world: World, lock: threading.Lock, server: socket.socket) -> None:
    """Open and close things all the time."""
    while True:
        with lock:
            with socket.create_connection(server.getsockname()):  # twin
                server.accept()[0].close()  # twin
            for fd in os.pipe():  # twin
                os.close(fd)
            open(world.path("busy"), "w").close()  # twin
        time.sleep(0.001)


def opened(name: str, world: World) -> dict[str, Any]:
    """Open in that way; what is held since then."""
    tids = set(os.listdir("/proc/self/task"))
    with quiet() as before:
        world.kept.append(WAYS[name](world))
    with quiet() as after:
        # Who makes a selector that is not of an event loop cannot be seen.
        new_ones = {one for one in after if "eventpoll" not in one[1] or name == "new_event_loop"}
        found = sorted(int(fd) for fd, _ in new_ones - before - world.others)
    new = sorted(int(tid) for tid in set(os.listdir("/proc/self/task")) - tids) if name in THREADS else []
    return {"name": name, "pid": os.getpid(), "fds": found, "threads": new}


def peers() -> None:
    """The other process: what HTTP clients and websockets talk to."""
    from websockets.sync.server import serve

    from hermes_diag.provider import Provider

    with Provider() as provider, serve(lambda one: [None for _ in one], V4, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host, port = server.socket.getsockname()
        print(json.dumps([provider.base_url, f"ws://{host}:{port}"]), flush=True)
        sys.stdin.read()


def main(seed: int, load: bool) -> None:
    gc.disable()
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([sys.executable, __file__, "--peers"], stdin=-1, stdout=-1) as beside,
    ):
        assert beside.stdout is not None
        world = World(*json.loads(beside.stdout.readline()), Path(folder))
        try:
            names = sorted(WAYS)
            random.Random(seed).shuffle(names)
            for _ in range(2 if load else 0):
                BUSY.append(threading.Lock())
                threading.Thread(
                    target=busy, args=(world, BUSY[-1], socket.create_server((V4, 0))), daemon=True
                ).start()
            for name in names:
                world.held.append(opened(name, world))
            for lock in BUSY:
                lock.acquire()  # they stand still while somebody looks
            print(json.dumps({"seed": seed, "pid": os.getpid(), "held": world.held}), flush=True)
            sys.stdin.read()
        finally:
            for pid in world.children:
                os.kill(pid, signal.SIGKILL)
            beside.communicate()
    os._exit(0)  # daemonic threads still wait


if __name__ == "__main__":
    if "--peers" in sys.argv:
        peers()
    else:
        main(int(next((one for one in sys.argv[1:] if one.isdigit()), time.time_ns() % 10**6)), "--busy" in sys.argv)
