"""Throughput of the provider beside uvicorn + starlette, LLMock and aimock, in one run: ./scripts/bench provider

The same events are streamed over 16 keep-alive connections by each server in turn, several rounds; the
ratios of the medians are what counts, the numbers themselves depend on the machine. Starlette and LLMock write
each event by itself, so ours is measured twice: as it is, with a healthy reply in one write, and with a write for
each event (`slow-events=0`). Both must hold; beside aimock, whose answer comes in one write, the first.

The other servers come from the interpreter in HERMES_DIAG_BENCH_PYTHON
(pip install uvicorn starlette httptools llmock), and aimock from the folder in HERMES_DIAG_BENCH_NODE
(npm install @copilotkit/aimock); what is not there is left out, and without any no ratio is given.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from hermes_diag.provider.answers import replies

CONNECTIONS = 16
ROUNDS = 5
SECONDS = 1.5
#: Ratios that must hold.
WANTED = {"uvicorn+starlette": 1.0, "uvicorn+starlette, httptools": 1.0, "llmock": 1.0, "aimock": 1.0}
#: The server whose answer comes in one write, as ours does.
IN_ONE = "aimock"
END = b"0\r\n\r\n"
EVENTS = replies.stream("chat", "gpt-5")

OURS = """
import asyncio, sys
from hermes_diag.provider.server import Provider

async def main():
    provider = Provider(faults=sys.argv[1:])
    await provider.start()
    print(provider.address[1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""

STARLETTE = """
import json, socket, sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

EVENTS = [event.encode("latin-1") for event in json.loads(sys.argv[1])]

async def answer(request):
    await request.body()
    async def events():
        for event in EVENTS:
            yield event
    return StreamingResponse(events(), media_type="text/event-stream")

listener = socket.create_server(("127.0.0.1", 0), backlog=512)
print(listener.getsockname()[1], flush=True)
app = Starlette(routes=[Route("/v1/chat/completions", answer, methods=["POST"])])
config = uvicorn.Config(app, log_level="critical", access_log=False, http=sys.argv[2])
uvicorn.Server(config).run(sockets=[listener])
"""

LLMOCK = """
import socket, subprocess, sys
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
print(port, flush=True)
sys.argv = ["llmock", "serve", "--port", str(port)]
from llmock.cli import app
app()
"""

AIMOCK = """
import { LLMock } from '@copilotkit/aimock';
const mock = new LLMock({ port: 0, chunkSize: 5, latency: 0, logLevel: 'silent' });
mock.on({}, { content: 'Every socket you open is yours to close.' });
await mock.start();
console.log(new URL(mock.url).port);
"""


def main() -> int:
    other = os.environ.get("HERMES_DIAG_BENCH_PYTHON", "")
    events = json.dumps([event.decode("latin-1") for event in EVENTS])
    commands = {
        "hermes-diag": [sys.executable, "-c", OURS],
        "hermes-diag, event by event": [sys.executable, "-c", OURS, "slow-events=0"],
    }
    if other:
        commands["uvicorn+starlette"] = [other, "-c", STARLETTE, events, "h11"]
        commands["uvicorn+starlette, httptools"] = [other, "-c", STARLETTE, events, "httptools"]
        commands["llmock"] = [other, "-c", LLMOCK]
    if node := os.environ.get("HERMES_DIAG_BENCH_NODE", ""):
        commands["aimock"] = ["node", "--input-type=module", "-e", AIMOCK]
    if not (other or node):
        print(
            "neither HERMES_DIAG_BENCH_PYTHON nor HERMES_DIAG_BENCH_NODE is set: measuring the provider alone",
            file=sys.stderr,
        )
    rates: dict[str, list[float]] = {name: [] for name in commands}
    sizes: dict[str, int] = {}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            rate, sizes[name] = measure(command)
            rates[name].append(rate)
    return report(rates, sizes)


def report(rates: dict[str, list[float]], sizes: dict[str, int]) -> int:
    """Print medians and ratios; 1 when a ratio that must hold does not."""
    failed = False
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, values in rates.items():
        print(
            f"{name:<30} {medians[name]:7.0f} requests/s ({min(values):.0f} to {max(values):.0f}), {sizes[name]} bytes"
        )
    for name in list(medians)[2:]:
        for ours in list(medians)[:2]:
            alike = name != IN_ONE or ours == "hermes-diag"
            ratio, wanted = medians[ours] / medians[name], WANTED.get(name, 0) if alike else 0
            failed = failed or ratio < wanted
            least = f" (at least {wanted:g})" if wanted else ""
            print(f"{ours}: {ratio:.2f} times {name}{least}")
    return 1 if failed else 0


def measure(command: list[str]) -> tuple[float, int]:
    """(requests per second, bytes of one response) of a server that says its port and then serves."""
    server = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=os.environ["HERMES_DIAG_BENCH_NODE"] if command[0] == "node" else Path(__file__).parent.parent,
    )
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        wait_for(port)
        load(port, 0.3)
        return load(port, SECONDS)
    finally:
        server.kill()
        server.wait()


def wait_for(port: int) -> None:
    """Return once something listens."""
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def load(port: int, seconds: float) -> tuple[float, int]:
    """Ask on every connection, again as soon as its answer is whole."""
    body = json.dumps({"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}], "stream": True}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n"
    request = (head + "content-type: application/json\r\nauthorization: Bearer none\r\n\r\n").encode() + body
    selector = selectors.DefaultSelector()
    for _ in range(CONNECTIONS):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(request)
        selector.register(sock, selectors.EVENT_READ, [0])
    done = size = 0
    begun = time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < seconds:
        for key, _ in selector.select(1):
            sock, heard = key.fileobj, key.data
            data = sock.recv(1 << 18)  # type: ignore[union-attr]
            if not data:
                raise SystemExit("a server closed a connection that it should keep")
            heard[0] += len(data)
            if data.endswith(END):
                done, size, heard[0] = done + 1, heard[0], 0
                sock.sendall(request)  # type: ignore[union-attr]
    for key in list(selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    selector.close()
    return done / elapsed, size


if __name__ == "__main__":
    sys.exit(main())
