"""What listens, under clients that mean it no good; run by scripts/siege.

    provider, control, proxy   of `serve --as-proxy`
    exporter                   of `export`

Each stands three sieges: 10,000 connections that say nothing; as many that send one byte of a head in a second, for
half a minute; ten bodies of 1 GB at once, of the JSON that takes the most memory, with and without a length. Memory of
its process stays within 200 MB, and afterwards a plain request is answered and its descriptors are as few as before.
Beside it stands how long a plain request took meanwhile. 1 when one does not stand it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

#: Megabytes that a process may take, the Python in it too.
MOST_MB = 200
#: Seconds that clients drip, that a plain request may take before it is given up, and that all may take to go.
DRIPS, PATIENCE, REST = 30, 30, 60
GIGABYTE = 1 << 30
HERMES_DIAG = [sys.executable, "-m", "hermes_diag"]
PIECE = b"[]," * 21845
_RST = struct.pack("ii", 1, 0)


@dataclass
class Listener:
    """Where it listens, and a request that it answers well."""

    process: psutil.Process
    port: int
    asks: bytes
    posts: str
    most: float = 0.0
    slowest: float = 0.0
    unanswered: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> float | None:
        """Seconds until a plain request was answered with 200."""
        begun = time.monotonic()
        try:
            with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as sock:
                sock.sendall(self.asks)
                sock.settimeout(PATIENCE)
                status = sock.recv(65536).split(b" ", 2)[1:2]
                return time.monotonic() - begun if status == [b"200"] else None
        except OSError:
            return None

    @contextmanager
    def looked_at(self) -> Iterator[None]:
        """Within, memory is looked at, and a plain request asked all the time."""

        def look() -> None:
            while not self._over.wait(0.05):
                self.most = max(self.most, self.process.memory_info().rss / 2**20)

        def ask() -> None:
            while not self._over.wait(1):
                took = self.ask()
                self.unanswered += took is None
                self.slowest = max(self.slowest, took or 0)

        self.most, self.slowest, self.unanswered = self.process.memory_info().rss / 2**20, 0.0, 0
        self._over.clear()
        threads = [threading.Thread(target=look), threading.Thread(target=ask)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()


# --- the sieges --------------------------------------------------------------------------------------


def silent(at: Listener, connections: int) -> str:
    with _opened(at, connections) as socks:
        time.sleep(5)
        return f"{_alive(socks):,} of {len(socks):,} connections open after 5 s"


def dripping(at: Listener, connections: int) -> str:
    head = at.asks.partition(b"\r\n")[0] + b"\r\nx-a: " + b"b" * 10_000
    with _opened(at, connections) as socks:
        for second in range(DRIPS):
            due = time.monotonic() + 1
            for sock in socks:
                with contextlib.suppress(OSError):
                    sock.send(head[second : second + 1], socket.MSG_DONTWAIT)
            time.sleep(max(0.0, due - time.monotonic()))
        return f"{_alive(socks):,} of {len(socks):,} connections open after {DRIPS} s and more"


def bodies(at: Listener, connections: int) -> str:
    taken: list[int] = []
    threads = [threading.Thread(target=lambda n=n: taken.append(_body(at, chunked=bool(n % 2)))) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return f"of ten bodies of 1,024 MB at most {max(taken) / 2**20:.0f} MB were sent before the connection was closed"


def _body(at: Listener, chunked: bool) -> int:
    """Bytes of a body that could be sent."""
    sent = 0
    length = "transfer-encoding: chunked" if chunked else f"content-length: {GIGABYTE}"
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", at.port), PATIENCE) as sock:
        sock.sendall(f"{at.posts} HTTP/1.1\r\nhost: localhost\r\n{length}\r\n\r\n".encode())
        piece = b"%x\r\n%s\r\n" % (len(PIECE), PIECE) if chunked else PIECE
        sock.sendall(b"1\r\n[\r\n" if chunked else b"[")
        while sent < GIGABYTE:
            sock.sendall(piece)
            sent += len(piece)
    return sent


@contextmanager
def _opened(at: Listener, connections: int) -> Iterator[list[socket.socket]]:
    socks: list[socket.socket] = []
    try:
        for _ in range(connections):
            with contextlib.suppress(OSError):
                socks.append(socket.create_connection(("127.0.0.1", at.port), PATIENCE))
        yield socks
    finally:
        for sock in socks:  # with a RST: those in TIME_WAIT would take all ports
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
            sock.close()


def _alive(socks: list[socket.socket]) -> int:
    """How many the other side has neither closed nor reset."""
    poll = select.poll()
    for sock in socks:
        poll.register(sock, select.POLLIN | select.POLLRDHUP)
    return len(socks) - sum(
        1 for _, what in poll.poll(0) if what & (select.POLLRDHUP | select.POLLHUP | select.POLLERR)
    )


SIEGES: dict[str, Callable[[Listener, int], str]] = {"silent": silent, "dripping": dripping, "bodies": bodies}

# --- what listens ------------------------------------------------------------------------------------


@contextmanager
def serving(which: str) -> Iterator[Listener]:
    command = [*HERMES_DIAG, "serve", "--as-proxy", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        said = json.loads(process.stdout.readline())
        drained = threading.Thread(target=lambda: [None for _ in process.stdout or ()])
        drained.start()
        own = _port(said["base_url"])
        ports = {
            "provider": own,
            "control": _port(said["control_url"]),
            "proxy": _port(said["environment"]["HTTP_PROXY"]),
        }
        asks = {
            "provider": _get("/v1/models", own),
            "control": _get("/_diag/connections", ports["control"]),
            "proxy": _get(f"http://127.0.0.1:{own}/v1/models", own),
        }
        posts = {
            "provider": "POST /v1/responses",
            "control": "PUT /_diag/faults",
            "proxy": f"POST http://127.0.0.1:{own}/v1/responses",
        }
        try:
            yield Listener(psutil.Process(process.pid), ports[which], asks[which], posts[which])
        finally:
            process.terminate()
            drained.join()


@contextmanager
def exporting(which: str) -> Iterator[Listener]:
    command = [*HERMES_DIAG, "export", "--pid", str(os.getpid()), "--interval", "1s", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        said = next(line for line in process.stdout if "http://" in line)
        port = _port("http://" + said.partition("http://")[2].split()[0])
        drained = threading.Thread(target=lambda: [None for _ in process.stdout or ()])
        drained.start()
        try:
            yield Listener(psutil.Process(process.pid), port, _get("/metrics", port), "POST /metrics")
        finally:
            process.terminate()
            drained.join()


def _port(url: str) -> int:
    return int(url.partition("://")[2].partition("/")[0].rpartition(":")[2])


def _get(target: str, port: int) -> bytes:
    return f"GET {target} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n".encode()


LISTENERS = {"provider": serving, "control": serving, "proxy": serving, "exporter": exporting}


def besieged(which: str, connections: int) -> bool:
    fine = True
    with LISTENERS[which](which) as at:
        assert at.ask() is not None, "a plain request is not answered"
        before = at.process.num_fds()
        for name, siege in SIEGES.items():
            with at.looked_at():
                said = siege(at, connections)
            until = time.monotonic() + REST
            while (kept := at.process.num_fds()) > before + 1 and time.monotonic() < until:
                time.sleep(0.1)
            stood = at.most <= MOST_MB and kept <= before + 1 and at.ask() is not None
            fine = fine and stood
            meanwhile = f"a plain request took {at.slowest:.1f} s at most"
            if at.unanswered:
                meanwhile += f", {at.unanswered} were not answered"
            print(
                f"{which:9} {name:9} {at.most:4.0f} MB, {'stood' if stood else 'NOT STOOD'}: {said}; {meanwhile}",
                flush=True,
            )
    return fine


def main() -> int:
    parser = argparse.ArgumentParser(description="What listens, under clients that mean it no good.")
    parser.add_argument("which", nargs="*", help=", ".join(LISTENERS))
    parser.add_argument("--connections", type=int, default=10_000)
    asked = parser.parse_args()
    if unknown := set(asked.which) - set(LISTENERS):
        parser.error(f"nothing listens by the name {', '.join(sorted(unknown))}; there are {', '.join(LISTENERS)}")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < asked.connections + 100:
        parser.error(f"{asked.connections} connections need a higher limit of descriptors than {hard}")
    stood = [besieged(which, asked.connections) for which in asked.which or LISTENERS]
    return int(not all(stood))


if __name__ == "__main__":
    sys.exit(main())
