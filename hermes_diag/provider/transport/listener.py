"""The listening socket: loopback only, a backlog that can be made full on purpose."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import resource
import socket
from collections.abc import Callable
from typing import Any

from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.core.sockets import bracketed

BACKLOG = 512
#: Connections accepted in one go, and seconds to wait when there is no descriptor left.
_AT_ONCE = 64
_RETRY = 0.05


def loopback(host: str) -> str:
    """The address to bind. Raises UsageError for everything that is not loopback."""
    if host == "localhost":
        return "127.0.0.1"
    if "%" in host:
        raise UsageError(f"{host!r} names an interface", f"write {host.partition('%')[0]}")
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

    spare: descriptors of this process that it leaves to others.

    We accept ourselves: asyncio's server accepts what the backlog holds in one go and drops, without
    closing it, what is not handed over when it is told to stop.
    """

    def __init__(self, factory: Callable[[], asyncio.Protocol], host: str, port: int, spare: int = 0) -> None:
        self._factory = factory
        self._host, self._port = loopback(host), port
        self._spare = spare
        self._socket: socket.socket | None = None
        self._limit: int | None = None
        self._taken = 0
        self._full = False
        self._filler: socket.socket | None = None
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
                raise CannotMeasure(
                    f"port {self._port} on {self._host} {why}", "choose another, or 0 for any that is free"
                ) from None
            raise
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._accept)
        self._apply_limit()

    @property
    def address(self) -> tuple[str, int]:
        """(host, port)"""
        assert self._socket is not None, "start() first"
        host, port = self._socket.getsockname()[:2]
        return host, port

    @property
    def authority(self) -> str:
        """host:port, as a URL names it."""
        host, port = self.address
        return f"{bracketed(host)}:{port}"

    def limit(self, connections: int | None) -> None:
        """Accept so many connections at the same time; None: any number."""
        self._limit = connections
        self._apply_limit()

    def gone(self) -> None:
        """A connection that was accepted has ended."""
        self._taken -= 1
        self._apply_limit()

    def _accept(self) -> None:
        assert self._socket is not None
        for _ in range(_AT_ONCE):
            if self._full:
                return
            try:
                self._leave_spare()
                sock, peer = self._socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                self._drop_filler()  # the backlog is empty: the filler cannot be in it any more
                return
            except OSError:  # no descriptor left: try again when some may have been closed
                self._loop.remove_reader(self._socket)
                self._loop.call_later(_RETRY, self._resume)
                return
            if self._filler is not None and peer[:2] == self._filler.getsockname()[:2]:
                sock.close()
                self._drop_filler()
                continue
            self._taken += 1
            sock.setblocking(False)
            task = self._loop.create_task(self._hand_over(sock))
            self._handing_over.add(task)
            task.add_done_callback(self._handing_over.discard)
            self._apply_limit()

    def _leave_spare(self) -> None:
        """Raises OSError when only the spare descriptors are left. The kernel gives the lowest that is free."""
        if self._spare:
            assert self._socket is not None
            lowest = os.dup(self._socket.fileno())
            os.close(lowest)
            limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            if lowest + self._spare >= limit != resource.RLIM_INFINITY:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async def _hand_over(self, sock: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._factory, sock)
        except BaseException:
            sock.close()
            raise

    def _resume(self) -> None:
        if self._socket is not None and not self._full:
            self._loop.add_reader(self._socket, self._accept)

    def _apply_limit(self) -> None:
        if self._socket is None:
            return
        full = self._limit is not None and self._taken >= self._limit
        if full and not self._full:
            self._fill()
        elif self._full and not full:
            self._drop_waiting_filler()
            self._socket.listen(BACKLOG)
            self._loop.add_reader(self._socket, self._accept)
        self._full = full

    def _fill(self) -> None:
        """Fill the backlog with a connection of our own: the kernel then drops every further SYN.

        With a backlog of zero Linux still keeps one place. The filler stays open, so that no client can get its port,
        until it has been accepted: a client with the same port would be taken for the filler.
        """
        assert self._socket is not None
        self._loop.remove_reader(self._socket)
        self._socket.listen(0)
        self._drop_waiting_filler()
        if self._filler is None:
            self._filler = socket.socket(self._socket.family, socket.SOCK_STREAM)
            self._filler.setblocking(False)
            # The connect may stay in progress: then clients that came earlier have the place.
            self._filler.connect_ex(self.address)

    def _drop_waiting_filler(self) -> None:
        """Close a filler that found no place: the kernel would send its SYN again, at times we do not choose."""
        try:
            if self._filler is not None:
                self._filler.getpeername()
        except OSError:
            self._drop_filler()

    def _drop_filler(self) -> None:
        if self._filler is not None:
            self._filler.close()
            self._filler = None

    async def stop(self) -> None:
        """Stop listening; what was accepted is handed over first."""
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        self._drop_filler()
        if self._handing_over:
            await asyncio.wait(self._handing_over)
