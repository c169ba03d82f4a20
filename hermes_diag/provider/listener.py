"""The listening socket: loopback only, a backlog that can be made full on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Callable
from typing import Any

from hermes_diag.errors import CannotMeasure, UsageError

BACKLOG = 512
#: Own connections with which a backlog of zero is filled. The kernel keeps one more than it is told.
_MOST_FILLERS = 16
#: Connections accepted before others get a turn, and seconds to wait when there is no descriptor left.
_AT_ONCE = 64
_BREATH = 0.05


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
    """A bound socket that accepts up to a limit; at the limit its backlog is full, and a connect hangs.

    We accept ourselves: asyncio's server accepts what the backlog holds in one go and drops, without
    closing it, what is not handed over when it is told to stop.
    """

    def __init__(self, factory: Callable[[], asyncio.Protocol], host: str, port: int) -> None:
        self._factory = factory
        self._host, self._port = loopback(host), port
        self._socket: socket.socket | None = None
        self._limit: int | None = None
        self._taken = 0
        self._full = False
        self._fillers: list[socket.socket] = []
        self._filler_peers: set[tuple[str, int]] = set()
        self._handing_over: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Bind and listen. Raises OSError when there is no port, CannotMeasure when it is taken."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # With the protocol named, or asyncio does not see that it is TCP and leaves Nagle on: 40 ms a reply.
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setblocking(False)
            sock.bind((self._host, self._port))
            sock.listen(BACKLOG)
        except OSError as exc:
            sock.close()
            if exc.errno in (errno.EADDRINUSE, errno.EACCES):
                why = "is taken" if exc.errno == errno.EADDRINUSE else "is not yours to bind"
                raise CannotMeasure(f"port {self._port} on {self._host} {why}", "use --port 0") from None
            raise
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._accept)
        self._mind_the_limit()

    @property
    def address(self) -> tuple[str, int]:
        """(host, port)"""
        assert self._socket is not None, "start() first"
        host, port = self._socket.getsockname()[:2]
        return host, port

    def limit(self, connections: int | None) -> None:
        """Accept so many connections at the same time; None: any number."""
        self._limit = connections
        self._mind_the_limit()

    def gone(self) -> None:
        """One of the connections that were accepted is no more."""
        self._taken -= 1
        self._mind_the_limit()

    def _accept(self) -> None:
        assert self._socket is not None
        for _ in range(_AT_ONCE):
            if self._full:
                return
            try:
                sock, peer = self._socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # no descriptor left: try again when some may have been closed
                self._loop.remove_reader(self._socket)
                self._loop.call_later(_BREATH, self._resume)
                return
            if peer[:2] in self._filler_peers:
                self._filler_peers.discard(peer[:2])
                sock.close()
                continue
            self._taken += 1
            sock.setblocking(False)
            task = self._loop.create_task(self._hand_over(sock))
            self._handing_over.add(task)
            task.add_done_callback(self._handing_over.discard)
            self._mind_the_limit()

    async def _hand_over(self, sock: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._factory, sock)
        except BaseException:
            sock.close()
            raise

    def _resume(self) -> None:
        if self._socket is not None and not self._full:
            self._loop.add_reader(self._socket, self._accept)

    def _mind_the_limit(self) -> None:
        if self._socket is None:
            return
        full = self._limit is not None and self._taken >= self._limit
        if full and not self._full:
            self._fill()
        elif self._full and not full:
            self._drop_fillers()
            self._socket.listen(BACKLOG)
            self._loop.add_reader(self._socket, self._accept)
        self._full = full

    def _fill(self) -> None:
        """Fill the backlog with connections of our own: the kernel then drops every further SYN."""
        assert self._socket is not None
        self._loop.remove_reader(self._socket)
        self._socket.listen(0)
        for _ in range(_MOST_FILLERS):
            filler = socket.socket(self._socket.family, socket.SOCK_STREAM)
            filler.settimeout(0.05)
            self._fillers.append(filler)
            try:
                filler.connect(self.address)
            except TimeoutError:
                break

    def _drop_fillers(self) -> None:
        for filler in self._fillers:
            with contextlib.suppress(OSError):
                self._filler_peers.add(filler.getsockname()[:2])
            filler.close()
        self._fillers.clear()

    async def stop(self) -> None:
        """Stop listening; what was accepted is handed over first."""
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        self._drop_fillers()
        if self._handing_over:
            await asyncio.wait(self._handing_over)
