"""Remembers which line of code opened a socket or started a thread, while a test is watched.

An audit hook (hook.py) sees every socket that Python opens, whatever library asks, and the stack at that moment. A
socket is known by its KEY (see backends).

Limits: sockets that C code opens by itself (uvloop, gRPC, curl) raise no audit event.
"""

from __future__ import annotations

import _socket
import contextlib
import os
import socket
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from types import FrameType
from typing import Any, NamedTuple

from hermes_diag.leakguard import snapshot
from hermes_diag.leakguard.backends import Place
from hermes_diag.leakguard.stacks import Line, lines_of, waiting_lines
from hermes_diag.watch import descriptors

#: The class socket.socket itself: tests may replace the name by something else.
_SOCKET: Any = next(kind for kind in _socket.socket.__subclasses__() if kind.__module__ == "socket")
_INIT, _ACCEPT = _SOCKET.__init__.__code__, _SOCKET.accept.__code__
#: After so many openings those of closed sockets are forgotten.
_MANY = 4096


def clock() -> float:
    """Seconds of a clock that tests do not stop, as they do time.monotonic."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


class Opening(NamedTuple):
    """When and where something was opened or started.

    at: seconds of `clock`. lines: of the code under test and its test, the innermost first; where
    there are none, of the library. thread: the name of the thread if not the main one. started: where that
    thread was started. to: where a socket was to be connected, if that was an address: of one that was reset the
    kernel does not show it any more. direct: a line of the code under test opened it, and not an event loop or
    another thread that works for it. accepted: the lines are those that opened the server, since no line of the
    code under test accepted this connection itself.
    """

    at: float
    lines: tuple[Line, ...]
    thread: str = ""
    started: tuple[Line, ...] = ()
    to: tuple[str, int] | None = None
    direct: bool = False
    accepted: bool = False


class Openings:
    """What was opened since this was made, by KEY; and threads that were started."""

    def __init__(self) -> None:
        self._by_key: dict[int, Opening] = {}
        self._incomplete: list[tuple[weakref.ref[socket.socket], Opening, int]] = []  # with the thread
        self._popens: list[tuple[weakref.ref[Any], Opening]] = []  # subprocess.Popen, which has the pid
        self._forks: dict[int, Opening] = {}  # by pid
        self._threads: weakref.WeakKeyDictionary[threading.Thread, Opening] = weakref.WeakKeyDictionary()
        self._paused = False
        self.loops: weakref.WeakSet[Any] = weakref.WeakSet()  # of asyncio, in which something was opened or started

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Sockets that are opened in here are not remembered."""
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before

    def sockets(self) -> dict[int, Opening]:
        """By KEY; of sockets that are closed, too."""
        self._complete()
        return dict(self._by_key)

    def of_thread(self, thread: threading.Thread) -> Opening | None:
        """Where that thread was started."""
        return self._threads.get(thread)

    def of_process(self, pid: int) -> Opening | None:
        """Where a child, or the one that it descends from, was started by subprocess or by a fork."""
        import psutil

        known = dict(self._forks)
        for ref, opening in self._popens:
            known[getattr(ref(), "pid", 0)] = opening
        try:
            process = psutil.Process(pid)
            for one in (process, *process.parents()):
                if one.pid == os.getpid():
                    break
                if one.pid in known:
                    return known[one.pid]
        except psutil.Error:
            pass
        return None

    def start(self, thread: threading.Thread) -> None:
        """A thread that is about to be started."""
        self._threads[thread] = self._opening(sys._getframe(2))

    def see(self, event: str, args: tuple[Any, ...]) -> None:
        """One audit event of _EVENTS."""
        if self._paused:
            return
        frame = sys._getframe(2)
        if event == "subprocess.Popen":
            self._popens.append((weakref.ref(frame.f_locals["self"]), self._opening(frame)))
            return
        self._complete()
        sock = args[0]
        if event == "socket.__new__":
            self._announce(sock, frame)
        else:
            to = _address(args[1]) if event == "socket.connect" else None
            self._note(_socket.socket.fileno(sock), self._opening(frame)._replace(to=to), again=True)

    def fork(self, pid: int) -> None:
        """A child of that pid was just forked."""
        if not self._paused:
            self._forks[pid] = self._opening(sys._getframe(2))

    def _announce(self, sock: socket.socket, frame: FrameType) -> None:
        """The event comes before the socket has its descriptor, unless it is made around one (accept, pairs)."""
        given = frame.f_locals.get("fileno") if frame.f_code is _INIT else None
        if given is None:
            with contextlib.suppress(TypeError):  # objects of C code have no weak references
                self._incomplete.append((weakref.ref(sock), self._opening(frame), threading.get_ident()))
        else:
            self._note(given, self._opening(frame, self._server(frame.f_back)))

    def _server(self, frame: FrameType | None) -> Opening | None:
        """The opening of the socket that accepts, if that is what is being done."""
        if frame is None or frame.f_code is not _ACCEPT:
            return None
        return self._by_key.get(snapshot.backend.key(_socket.socket.fileno(frame.f_locals["self"])))

    def _complete(self) -> None:
        """Find the KEYs of sockets that were not complete when they were announced."""
        waiting, self._incomplete = self._incomplete, []
        me = threading.get_ident()
        for ref, opening, thread in waiting:
            sock = ref()
            # If this thread announced it, it is complete by now: without a descriptor it has been closed.
            if sock is not None and not self._note(_socket.socket.fileno(sock), opening) and thread != me:
                self._incomplete.append((ref, opening, thread))

    def _note(self, fd: int, opening: Opening, again: bool = False) -> bool:
        """Remember a socket by its KEY; False: it has none. again: it is known already, and this line (connect, bind)
        is remembered instead, unless the first one was direct and this one is not."""
        try:
            key = snapshot.backend.key(fd)
        except OSError:
            return False
        if key is None:
            return False
        known = self._by_key.get(key)
        # Where a KEY may be used again, each opening is another socket, and one that was not opened here is older.
        if (known or not again) if snapshot.backend.REUSES_KEYS else (again or not known):
            if again and known and known.direct and not opening.direct:
                opening = known._replace(to=opening.to)
            self._by_key[key] = opening
            if len(self._by_key) % _MANY == 0:
                self._forget()
        return True

    def _forget(self) -> None:
        """Forget closed sockets, so that a test may open a million; not one in which a thread still waits."""
        still = descriptors.sockets(snapshot.backend.descriptors())
        without: dict[int, Place] = {key: (None, None) for key in self._by_key if key not in still}
        for key in without.keys() - snapshot.backend.rows(without).keys():
            del self._by_key[key]

    def _opening(self, frame: FrameType | None, server: Opening | None = None) -> Opening:
        """server: that of the socket that accepts."""
        now = clock()
        if (asyncio := sys.modules.get("asyncio")) and (loop := asyncio._get_running_loop()):
            self.loops.add(loop)
        all_lines, own, below = lines_of(frame)
        direct = bool(own) and below
        if server and not direct:
            return server._replace(at=now, accepted=True)
        if not below:
            # A task that a library made: the lines of the task that waits for it say more than its own.
            own = waiting_lines() or own
        thread = threading.current_thread()
        if thread is threading.main_thread():
            return Opening(now, own or all_lines, direct=direct)
        started = self._threads.get(thread)
        return Opening(now, own or all_lines, thread.name, started.lines if started else (), direct=direct)


def _address(given: Any) -> tuple[str, int] | None:
    """(ip, port) of what a socket is asked to connect to, None for a name or a path."""
    if isinstance(given, tuple) and len(given) >= 2 and isinstance(given[0], str) and isinstance(given[1], int):
        for family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(OSError, ValueError):
                socket.inet_pton(family, given[0])
                return given[0], given[1]
    return None
