"""The listening socket: loopback only, a backlog that can be made full on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Callable

from hermes_diag.errors import CannotMeasure, UsageError

BACKLOG = 512
#: Own connections with which a backlog of zero is filled. The kernel keeps one more than it is told.
_MOST_FILLERS = 16


def loopback(host: str) -> str:
    """The address to bind. Raises UsageError for everything that is not loopback."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise UsageError(f"{host!r} is no IP address", "bind 127.0.0.1; the provider is for loopback only") from None
    if not address.is_loopback:
        raise UsageError(
            f"refusing to bind {host}: the provider is for loopback only",
            "bind 127.0.0.1; tunnel a port if another machine must reach it",
        )
    return str(address)


class Listener:
    """A bound socket that can be served, left unserved with a full backlog, and served again."""

    def __init__(self, factory: Callable[[], asyncio.Protocol], host: str, port: int) -> None:
        self._factory = factory
        self._host, self._port = loopback(host), port
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._fillers: list[socket.socket] = []
        self.full = False

    async def start(self) -> None:
        """Bind and listen. Raises OSError when there is no port, CannotMeasure when it is taken."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # With the protocol named, or asyncio does not see that it is TCP and leaves Nagle on: 40 ms a reply.
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self._host, self._port))
        except OSError as exc:
            sock.close()
            if exc.errno in (errno.EADDRINUSE, errno.EACCES):
                why = "is taken" if exc.errno == errno.EADDRINUSE else "is not yours to bind"
                raise CannotMeasure(f"port {self._port} on {self._host} {why}", "use --port 0") from None
            raise
        self._socket = sock
        await self._serve()

    @property
    def address(self) -> tuple[str, int]:
        """(host, port)"""
        assert self._socket is not None, "start() first"
        host, port = self._socket.getsockname()[:2]
        return host, port

    async def _serve(self) -> None:
        # asyncio closes the socket of a server that it stops; a duplicate keeps the port ours.
        assert self._socket is not None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._factory, sock=self._socket.dup(), backlog=BACKLOG)

    def fill(self) -> None:
        """Stop accepting and fill the backlog: from now on a connect hangs, as on a host that drops SYNs."""
        if self.full or self._socket is None or self._server is None:
            return
        self.full = True
        self._server.close()
        self._server = None
        self._socket.listen(0)
        for _ in range(_MOST_FILLERS):
            filler = socket.socket(self._socket.family, socket.SOCK_STREAM)
            filler.settimeout(0.05)
            self._fillers.append(filler)
            try:
                filler.connect(self.address)
            except TimeoutError:
                break

    async def drain(self) -> None:
        """Accept again; our own connections go."""
        if not self.full or self._socket is None:
            return
        self.full = False
        self._drop_fillers()
        await self._serve()

    def is_filler(self, peer: tuple[str, int]) -> bool:
        """Whether a connection just accepted is one of ours."""
        return peer in self._filler_peers

    _filler_peers: frozenset[tuple[str, int]] = frozenset()

    def _drop_fillers(self) -> None:
        peers = set()
        for filler in self._fillers:
            with contextlib.suppress(OSError):
                peers.add(filler.getsockname()[:2])
            filler.close()
        self._fillers.clear()
        self._filler_peers = frozenset(peers)

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._drop_fillers()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
