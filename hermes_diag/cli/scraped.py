"""The HTTP server of `hermes-diag export`: prometheus_client answers, and here is what a scrape may cost.

`prometheus_client.start_http_server` makes a thread for each connection, waits for a request without an end, and
answers a page that a browser was led here with (DNS rebinding).
"""

from __future__ import annotations

import io
import ipaddress
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from hermes_diag.provider.protocols import visitors

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

#: Connections at the same time. One more takes the place of the one that has waited longest without a request.
MOST = 64
#: Seconds in which a request must have come, and in which its answer must have been taken. Bytes of a request.
SLOWEST, LONGEST = 10.0, 16 << 10


class _Handler(WSGIRequestHandler):
    """One request of one connection."""

    server: _Server

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BytesIO(self._head())
        self.server.asks(self.connection)
        self.connection.settimeout(SLOWEST)  # of all that is sent in one go

    def _head(self) -> bytes:
        """The head of a request; less where it does not come, or has no end."""
        data, deadline = b"", time.monotonic() + SLOWEST
        while b"\r\n\r\n" not in data and len(data) < LONGEST and (left := deadline - time.monotonic()) > 0:
            self.connection.settimeout(left)
            try:
                piece = self.connection.recv(LONGEST - len(data))
            except OSError:
                return b""
            if not piece:
                return b""
            data += piece
        return data if b"\r\n\r\n" in data else b""

    def log_message(self, format: str, *args: Any) -> None:
        """A scrape is no news."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = MOST
    block_on_close = False  # one that is slow to take its answer does not keep us

    def __init__(self, family: int, address: tuple[str, int]) -> None:
        self.address_family = family
        self._free = threading.BoundedSemaphore(MOST)
        self._silent: dict[socket.socket, None] = {}  # those without a request yet, the oldest first
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's asks a resolver for the name of our address
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)
        self.setup_environ()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is a place: clients that say nothing do not keep a scrape out."""
        if self._free.acquire(blocking=False):
            return True
        for silent in list(self._silent):
            if self.asks(silent):
                with suppress(OSError):
                    silent.shutdown(socket.SHUT_RDWR)
                return self._free.acquire(timeout=1)  # its thread is woken by that, and goes
        return False

    def asks(self, request: socket.socket) -> bool:
        """It is silent no more; False: it was not."""
        return self._silent.pop(request, self) is None

    def process_request(self, request: Any, client_address: Any) -> None:
        self._silent[request] = None
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self.asks(request)
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.asks(request)  # it may have gone before it could be asked
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves before its answer is there is no trouble of ours."""


@contextmanager
def serving(host: str, port: int, registry: CollectorRegistry) -> Iterator[int]:
    """Answer scrapes within, at an address that is written as numbers; the port. Raises OSError."""
    from prometheus_client import make_wsgi_app

    metrics, address = make_wsgi_app(registry), ipaddress.ip_address(host)

    def app(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        asked = {"origin": environ.get("HTTP_ORIGIN"), "host": environ.get("HTTP_HOST")}
        if not address.is_loopback:
            asked["host"] = None  # --allow-remote: nobody knows by which names others call this machine
        if why := visitors.why_refused({name: value for name, value in asked.items() if value is not None}):
            start("403 Forbidden", [("Content-Type", "text/plain")])
            return [f"{why}\n".encode()]
        answer: Iterable[bytes] = metrics(environ, start)
        return answer

    with _Server(socket.AF_INET6 if address.version == 6 else socket.AF_INET, (host, port)) as server:
        server.set_app(app)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
