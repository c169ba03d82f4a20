"""An endpoint that is not ours: TLS on another loopback address, under a name that only a test knows.

The name is mapped by a sitecustomize.py on PYTHONPATH, which ships nowhere. (HOSTALIASES would not do: it
maps names to names, and the resolver still has to be asked for those.)
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

import trustme

from hermes_diag.provider.answers import replies

NAME = "endpoint.test"
ADDRESS = "127.0.0.2"

_MAPPING = f"""
import socket
_real = socket.getaddrinfo
def getaddrinfo(host, port, *args, **kwargs):
    if host == {NAME!r}:
        host = {ADDRESS!r}
    elif isinstance(host, str) and not host.replace(".", "").replace(":", "").isalnum() or str(host).endswith(".test"):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _real(host, port, *args, **kwargs)
socket.getaddrinfo = getaddrinfo
"""


class Endpoint:
    """Serves from `with` to the end of the block. `behave(number, handler)` may answer a request itself.

    requests: the headers of each request, in order. connections: how many were accepted.
    """

    def __init__(
        self,
        folder: Path,
        tls: bool = True,
        behave: Callable[[int, Handler], bool] = lambda number, handler: False,
        host: str = ADDRESS,
        certificate: str = NAME,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.requests: list[Message] = []
        self.connections = 0
        self.behave = behave
        self._server = _Server((host, 0), Handler)
        self._server.endpoint = self
        self.port: int = self._server.server_address[1]
        self.environment: dict[str, str] = {}
        if tls:
            authority = trustme.CA()
            self._server.tls = _context(authority.issue_cert(certificate))
            authority.cert_pem.write_to_path(folder / "ca.pem")
            (folder / "sitecustomize.py").write_text(_MAPPING)
            self.environment = {"SSL_CERT_FILE": str(folder / "ca.pem"), "PYTHONPATH": str(folder)}
        self.url = f"https://{NAME}:{self.port}/v1" if tls else f"http://{host}:{self.port}/v1"

    def __enter__(self) -> Endpoint:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    """Answers every POST with a whole reply of the Responses API, unless told otherwise."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        endpoint = self.server.endpoint
        endpoint.requests.append(self.headers)
        if not endpoint.behave(len(endpoint.requests), self):
            self.reply(200, b"".join(replies.stream("responses", "gpt-5")), "text/event-stream")

    def reply(self, status: int, body: bytes = b"{}", kind: str = "application/json", **headers: str) -> None:
        """One whole answer."""
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    endpoint: Endpoint
    tls = None

    def __init__(self, *args: object) -> None:
        self._open: list[object] = []
        super().__init__(*args)  # type: ignore[arg-type]

    def process_request(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        self.endpoint.connections += 1
        self._open.append(request)
        super().process_request(request, client_address)

    def finish_request(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        # The handshake belongs into the thread of its connection; a client that leaves is no error here.
        with suppress(OSError):
            if self.tls is not None:
                request = self.tls.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)
            request.close()

    def server_close(self) -> None:
        super().server_close()
        for one in self._open:
            with suppress(OSError):
                one.shutdown(2)  # type: ignore[attr-defined]
            one.close()  # type: ignore[attr-defined]


def _context(certificate: trustme.LeafCert):  # type: ignore[no-untyped-def]
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context
