"""Thirty ways to leave something behind, each beside its healthy twin.

The line that opens what is left ends in `# opened`. Run by tests/test_leaks.py and scripts/guard.
"""

from __future__ import annotations

import asyncio
import http.client
import multiprocessing
import os
import select
import socket
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import anyio
import httpx
import openai
import pytest
import requests
import trio
import urllib3

pytestmark = pytest.mark.limit_sockets
TURN = {"model": "gpt-5", "input": "hi"}


def connect(address, timeout=10):
    return socket.create_connection(address, timeout)


@pytest.fixture
def anyio_backend():
    return "asyncio"


# Each pair: the leak, named test_X_leak, and the twin, named test_X.


def test_raw_socket_leak(address, keep):
    keep.append(socket.create_connection(address))  # opened


def test_raw_socket(address):
    with socket.create_connection(address):
        pass


def test_unclosed_response_leak(server, keep):
    client = httpx.Client()
    request = client.build_request("POST", f"{server}/responses", json={**TURN, "stream": True})
    keep.append(client.send(request, stream=True))  # opened


def test_unclosed_response(server):
    with httpx.Client() as client, client.stream("POST", f"{server}/responses", json={**TURN, "stream": True}):
        pass


def test_unclosed_client_leak(server):
    client = openai.OpenAI(base_url=server, api_key="none")
    client.responses.create(**TURN)  # opened


def test_unclosed_client(server):
    with openai.OpenAI(base_url=server, api_key="none") as client:
        client.responses.create(**TURN)


def test_shared_pool_leak(server, keep):
    pool = httpx.HTTPTransport()
    keep.append(pool)
    for _ in range(2):
        client = httpx.Client(transport=pool)
        client.get(f"{server}/models")  # opened


def test_shared_pool(server):
    with httpx.HTTPTransport() as pool:
        for _ in range(2):
            client = httpx.Client(transport=pool)
            client.get(f"{server}/models")


def test_abandoned_async_stream_leak(server, keep):
    async def turn():
        client = openai.AsyncOpenAI(base_url=server, api_key="none")
        keep.append(await client.responses.create(**TURN, stream=True))  # opened

    asyncio.run(turn())


def test_abandoned_async_stream(server):
    async def turn():
        async with openai.AsyncOpenAI(base_url=server, api_key="none") as client:
            async with await client.responses.create(**TURN, stream=True) as stream:
                await anext(aiter(stream))

    asyncio.run(turn())


def test_executor_left_leak(address, keep):
    pool = ThreadPoolExecutor(1)
    keep += [pool, pool.submit(connect, address).result()]  # opened


def test_executor_left(address):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(connect, address).result().close()


def test_aiohttp_session_leak(server, keep):
    async def turn():
        session = aiohttp.ClientSession()
        keep.append(session)
        async with session.get(f"{server}/models") as answer:  # opened
            await answer.read()

    asyncio.run(turn())


def test_aiohttp_session(server):
    async def turn():
        async with aiohttp.ClientSession() as session, session.get(f"{server}/models") as answer:
            await answer.read()

    asyncio.run(turn())


def test_requests_session_leak(server, keep):
    session = requests.Session()
    keep.append(session)
    session.get(f"{server}/models")  # opened


def test_requests_session(server):
    with requests.Session() as session:
        session.get(f"{server}/models")


def test_duplicated_descriptor_leak(address):
    with socket.create_connection(address) as sock:  # opened
        os.dup(sock.fileno())


def test_duplicated_descriptor(address):
    with socket.create_connection(address) as sock:
        os.close(os.dup(sock.fileno()))


def test_child_holds_it_leak(address, children):
    with socket.create_connection(address) as sock:  # opened
        children.append(subprocess.Popen(["sleep", "600"], pass_fds=[sock.fileno()]))


def test_child_holds_it(address):
    with (
        socket.create_connection(address) as sock,
        subprocess.Popen(["cat"], pass_fds=[sock.fileno()], stdin=-1) as cat,
    ):
        cat.communicate()


def test_urllib3_pool_leak(server, keep):
    pool = urllib3.PoolManager()
    keep.append(pool)
    pool.request("GET", f"{server}/models")  # opened


def test_urllib3_pool(server):
    with urllib3.PoolManager() as pool:
        pool.request("GET", f"{server}/models")


def test_http_client_leak(address, keep):
    connection = http.client.HTTPConnection(*address)
    keep.append(connection)
    connection.request("GET", "/v1/models")  # opened
    connection.getresponse().read()


def test_http_client(address):
    connection = http.client.HTTPConnection(*address)
    connection.request("GET", "/v1/models")
    connection.getresponse().read()
    connection.close()


def test_open_connection_leak(address, keep):
    async def turn():
        keep.append(await asyncio.open_connection(*address))  # opened

    asyncio.run(turn())


def test_open_connection(address):
    async def turn():
        _, writer = await asyncio.open_connection(*address)
        writer.close()
        await writer.wait_closed()

    asyncio.run(turn())


def test_happy_eyeballs_leak(address, keep):
    """The socket is made in a task that the event loop started by itself."""

    async def turn():
        keep.append(await asyncio.open_connection("localhost", address[1], happy_eyeballs_delay=0.2))  # opened

    asyncio.run(turn())


def test_happy_eyeballs(address):
    async def turn():
        _, writer = await asyncio.open_connection("localhost", address[1], happy_eyeballs_delay=0.2)
        writer.close()
        await writer.wait_closed()

    asyncio.run(turn())


def test_thread_reads_leak(address, keep):
    """Closed by one thread while another waits in it: no descriptor is left, and the connection stays."""
    sock = socket.create_connection(address)  # opened
    reader = threading.Thread(target=os.read, args=(sock.fileno(), 1), daemon=True)
    reader.start()
    waits_in_read(reader, sock)
    keep.append(reader)
    sock.close()


def test_thread_reads(address):
    sock = socket.create_connection(address)
    reader = threading.Thread(target=os.read, args=(sock.fileno(), 1))
    reader.start()
    waits_in_read(reader, sock)
    sock.shutdown(socket.SHUT_RDWR)
    reader.join()
    sock.close()


def waits_in_read(thread, sock):
    while True:
        with open(f"/proc/self/task/{thread.native_id}/syscall") as file:
            if file.read().split()[1:2] == [hex(sock.fileno())]:
                return  # it sleeps in a call of the kernel, and not on its way there


def test_socketpair_leak(keep):
    keep += socket.socketpair()  # opened


def test_socketpair():
    for sock in socket.socketpair():
        sock.close()


def test_accepted_leak(keep):
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        keep.append(listener.accept())  # opened


def test_accepted():
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        listener.accept()[0].close()


def test_close_wait_leak(keep):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())  # opened
        listener.accept()[0].close()
        keep.append(client)
        assert client.recv(1) == b""


def test_close_wait():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as client:
            listener.accept()[0].close()
            assert client.recv(1) == b""


def test_reset_leak(keep):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())  # opened
        peer = listener.accept()[0]
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        keep.append(client)
        select.select([client], [], [], 10)


def test_reset():
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        peer = listener.accept()[0]
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        select.select([client], [], [], 10)


def test_listener_leak(keep):
    keep.append(socket.create_server(("127.0.0.1", 0)))  # opened


def test_listener():
    socket.create_server(("127.0.0.1", 0)).close()


def test_datagram_leak(keep):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # opened
    keep.append(sock)


def test_datagram():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()


@pytest.mark.asyncio
async def test_httpx_async_client_leak(server, keep):
    client = httpx.AsyncClient()
    keep.append(client)
    await client.get(f"{server}/models")  # opened


@pytest.mark.asyncio
async def test_httpx_async_client(server):
    async with httpx.AsyncClient() as client:
        await client.get(f"{server}/models")


@pytest.mark.asyncio
async def test_async_openai_leak(server):
    client = openai.AsyncOpenAI(base_url=server, api_key="none")
    await client.responses.create(**TURN)  # opened


@pytest.mark.asyncio
async def test_async_openai(server):
    async with openai.AsyncOpenAI(base_url=server, api_key="none") as client:
        await client.responses.create(**TURN)


@pytest.mark.anyio
async def test_anyio_stream_leak(address, keep):
    keep.append(await anyio.connect_tcp(*address))  # opened


@pytest.mark.anyio
async def test_anyio_stream(address):
    async with await anyio.connect_tcp(*address):
        pass


def test_trio_stream_leak(address, keep):
    async def turn():
        keep.append(await trio.open_tcp_stream(*address))  # opened

    trio.run(turn)


def test_trio_stream(address):
    async def turn():
        async with await trio.open_tcp_stream(*address):
            pass

    trio.run(turn)


_session = None


def get(url):
    """A keep-alive connection in a global of a module."""
    global _session
    _session = _session or requests.Session()
    return _session.get(url)  # opened


def test_module_global_leak(server):
    get(f"{server}/models")


def test_module_global(server):
    global _session
    get(f"{server}/models")
    _session.close()
    _session = None


def events(server):
    with openai.OpenAI(base_url=server, api_key="none") as client:
        with client.responses.create(**TURN, stream=True) as stream:  # opened
            yield from stream


def test_generator_holds_stream_leak(server, keep):
    found = events(server)
    next(found)
    keep.append(found)


def test_generator_holds_stream(server):
    found = events(server)
    next(found)
    found.close()


def test_to_thread_leak(server, keep):
    async def turn():
        session = requests.Session()
        keep.append(session)
        await asyncio.to_thread(session.get, f"{server}/models")  # opened

    asyncio.run(turn())


def test_to_thread(server):
    async def turn():
        with requests.Session() as session:
            await asyncio.to_thread(session.get, f"{server}/models")

    asyncio.run(turn())


def test_event_loop_leak(keep):
    keep.append(asyncio.new_event_loop())  # opened


def test_event_loop():
    asyncio.new_event_loop().close()


def test_pipe_leak(keep):
    keep += multiprocessing.Pipe()  # opened


def test_pipe():
    for end in multiprocessing.Pipe():
        end.close()


@pytest.fixture
def careless(address, keep):
    sock = socket.create_connection(address)  # opened
    keep.append(sock)
    return sock


@pytest.fixture
def careful(address):
    with socket.create_connection(address) as sock:
        yield sock


def test_fixture_leak(careless):
    pass


def test_fixture(careful):
    pass


def test_child_of_its_own_leak(address, children):
    """The child opens the connection, and stays."""
    code = (
        "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); print(flush=True); input()"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(address[1])], stdin=-1, stdout=-1)  # opened
    children.append(child)
    assert child.stdout.readline() == b"\n"


def test_child_of_its_own(address):
    code = (
        "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); print(flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(address[1])], stdin=-1, stdout=-1, stderr=-3) as child:
        assert child.stdout.readline() == b"\n"
        child.communicate(b"\n")


@pytest.mark.asyncio
async def test_loop_accepted_leak(keep):
    """No line of ours accepts: the event loop does."""
    came = asyncio.Event()

    def serve(_, writer):
        keep.append(writer)
        came.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)  # opened
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await came.wait()
        writer.close()
        await writer.wait_closed()
        server.close()
        server.wait_closed = came.wait  # since Python 3.12 it waits for the connection that is left


@pytest.mark.asyncio
async def test_loop_accepted():
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
