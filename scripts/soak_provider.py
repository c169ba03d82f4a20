"""The provider under load, in a process of its own: .venv/bin/python scripts/soak_provider.py [CONNECTIONS [REQUESTS]]

1,000 streams open at once within 300 MB, every one finished; 1,000 WebSockets open at once, compressed, within 150 MB,
each with a turn finished before and a turn after all are open; then connections (50,000 unless told otherwise), every
third of them a WebSocket, opened and abandoned in every state; then requests (1,000,000 unless told otherwise) of every
API, on connections that are kept. After either, descriptors, tasks and memory are where they were.
"""

from __future__ import annotations

import json
import resource
import socket
import struct
import subprocess
import sys
import time

import psutil
from websockets.sync.client import ClientConnection, connect

STREAMS = 1000
MAX_MB = 300
MAX_MB_WEBSOCKETS = 150
#: Growth of memory that is still noise, in MB: fragments of the allocator, not records.
NOISE_MB = 4
BODY = b'{"model":"gpt-5","stream":true}'
TURN = '{"type":"response.create","model":"gpt-5","input":"hi"}'
UPGRADE = (
    b"GET /v1/responses HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAECAwQFBgcICQoLDA0ODw==\r\n"
    b"sec-websocket-extensions: permessage-deflate\r\n\r\n"
)
FRAME = b"\x81" + bytes([0x80 | len(TURN)]) + bytes(4) + TURN.encode()  # with a mask of zeros
REQUEST = b"POST /v1/responses HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY

SERVER = """
import asyncio, json, sys
from hermes_diag.provider.server import Provider

async def main():
    provider = Provider(faults=["slow-events=0.3:path=/v1/responses"], keep=100)
    await provider.start()
    print(provider.address[1], flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        tasks = len(asyncio.all_tasks())
        print(json.dumps({"tasks": tasks, "open": len(provider.open), **provider.tally()}), flush=True)

asyncio.run(main())
"""


class Server:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = int(self._line())
        self._seen = psutil.Process(self._process.pid)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def look(self) -> dict[str, float]:
        """Tasks and counts as the provider says, descriptors and memory as the kernel says."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        said = json.loads(self._line())
        return {**said, "fds": self._seen.num_fds(), "mb": self._seen.memory_info().rss / 2**20}

    def rest(self) -> dict[str, float]:
        """The same, once no connection is open."""
        deadline = time.monotonic() + 60
        while (look := self.look())["open"] and time.monotonic() < deadline:
            time.sleep(0.01)
        return look

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


def streams(server: Server) -> bool:
    sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(STREAMS)]
    for sock in sockets:
        sock.sendall(REQUEST)
    peak, finished = server.look(), 0
    for sock in sockets:
        data = b""
        while part := sock.recv(65536):
            data += part
            if not data.startswith(b"HTTP/1.1 200"):
                break
            if data.endswith(b"0\r\n\r\n"):
                finished += b"response.completed" in data
                break
        sock.close()
    most = max(peak["mb"], server.rest()["mb"])
    print(f"{peak['open']:.0f} streams open at once, {finished} finished, {most:.0f} MB")
    return finished == STREAMS and most <= MAX_MB


def websockets(server: Server) -> bool:
    clients, finished = [], 0
    for _ in range(STREAMS):
        clients.append(
            connect(f"ws://127.0.0.1:{server.port}/backend-api/codex/responses", ping_interval=None).__enter__()
        )
        finished += turn(clients[-1])
    peak = server.look()
    finished += sum(map(turn, clients))
    most = max(peak["mb"], server.look()["mb"])
    for client in clients:
        client.close()
    print(f"{peak['open']:.0f} WebSockets open at once, {finished} turns finished, {most:.0f} MB")
    return finished == 2 * STREAMS and peak["open"] >= STREAMS and most <= MAX_MB_WEBSOCKETS


def turn(client: ClientConnection) -> bool:
    client.send(TURN)
    while True:
        kind = json.loads(client.recv(60))["type"]
        if kind in ("response.completed", "error"):
            return kind == "response.completed"


def abandon(server: Server, count: int) -> None:
    """Open and leave: at once, within a head, within a body, within the answer; most with a RST, since a
    loopback has no more than some 28,000 ports for those that linger in TIME_WAIT."""
    pieces = (b"", REQUEST[:20], REQUEST[:-3], REQUEST, UPGRADE + FRAME[:-3], UPGRADE + FRAME)
    for number in range(count):
        sock = socket.create_connection(("127.0.0.1", server.port))
        if pieces[number % 6]:
            sock.sendall(pieces[number % 6])
        if number % 10:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


def _post(path: str, body: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


#: One of each: streamed and not, kept and not, beside a turn, and refused.
EACH = b"".join((
    _post("/v1/chat/completions", '{"model":"gpt-5","stream":true,"messages":[]}'),
    _post("/v1/chat/completions", '{"model":"gpt-5","store":true,"messages":[]}'),
    _post("/backend-api/codex/responses", '{"model":"gpt-5","stream":true,"input":"hi"}'),
    _post("/backend-api/codex/responses", '{"model":"gpt-5","input":"hi","metadata":{"a":"b"}}'),
    _post("/v1/messages", '{"model":"claude-1","max_tokens":9,"stream":true,"messages":[]}'),
    _post("/v1/completions", '{"model":"gpt-5","prompt":"hi"}'),
    _post("/v1/embeddings", '{"model":"text-embedding-3","input":"hi","dimensions":8}'),
    _post("/v1/conversations", '{"items":[]}'),
    b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n",
    _post("/v1/chat/completions", '{"model":'),
))  # fmt: skip
AT_ONCE = 10 * EACH.count(b" HTTP/1.1")


def ask(server: Server, count: int) -> None:
    """So many requests, 1,000 on each connection, 100 of them sent before their answers are read."""
    for _ in range(count // 1000):
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            for _ in range(1000 // AT_ONCE):
                sock.sendall(EACH * 10)
                answered = 0
                while answered < AT_ONCE:
                    part = sock.recv(1 << 20)
                    if not part:
                        raise SystemExit(f"the provider has closed after {answered} of {AT_ONCE} answers")
                    answered += part.count(b"HTTP/1.1 ")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def main(count: int, requests: int) -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * STREAMS)), hard))
    server = Server()
    try:
        fine = websockets(server) and streams(server)
        for what, load, number in (("abandoned connections", abandon, count), ("requests", ask, requests)):
            load(server, 5000)  # warm up
            before = server.rest()
            load(server, number)
            after = server.rest()
            for name in ("fds", "tasks", "mb"):
                print(f"{name}: {before[name]:.0f} before, {after[name]:.0f} after {number} {what}")
            kept = after["fds"] <= before["fds"] and after["tasks"] <= before["tasks"]
            fine = fine and kept and after["mb"] - before["mb"] <= NOISE_MB
    finally:
        server.end()
    return 0 if fine else 1


if __name__ == "__main__":
    sizes = [int(size) for size in sys.argv[1:]]
    sys.exit(main(*sizes, *(50_000, 1_000_000)[len(sizes) :]))
