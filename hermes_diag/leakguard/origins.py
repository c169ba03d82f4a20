"""Remembers which line of code opened a socket or a file or started a thread, while a test is watched.

An audit hook (hook.py) sees every socket that Python opens, whatever library asks, and the stack at that moment. A
socket is known by its KEY (see backends).

Limits: sockets that C code opens by itself (uvloop, gRPC, curl) raise no audit event.
"""

from __future__ import annotations

import _socket
import contextlib
import gc
import os
import socket
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from types import FrameType
from typing import Any

from hermes_diag.leakguard import forks, snapshot, wider
from hermes_diag.leakguard.collected import Collected
from hermes_diag.leakguard.files import Files
from hermes_diag.leakguard.opening import Opening
from hermes_diag.leakguard.stacks import OURS, Line, lines_of, waiting_lines

#: The class socket.socket itself: tests may replace the name by something else.
SOCKET: Any = next(kind for kind in _socket.socket.__subclasses__() if kind.__module__ == "socket")
_INIT, _ACCEPT, _FILENO = SOCKET.__init__.__code__, SOCKET.accept.__code__, _socket.socket.fileno
#: When there are twice as many openings, those of the older half that are closed are forgotten.
_MANY = 32768
_FILES = frozenset({"open", "sqlite3.connect", "mmap.__new__"})
#: Who opens files for imports, and we ourselves: of neither anything is left.
_NOT_THEIRS = ("<frozen importlib", OURS)

# Called in an audit hook, while a test may have replaced them.
_clock_gettime, _inet_pton, _main = time.clock_gettime, socket.inet_pton, threading.main_thread()
_current_thread, _get_ident, _current_frames = threading.current_thread, threading.get_ident, sys._current_frames


def clock() -> float:
    """Seconds of a clock that tests do not stop, as they do time.monotonic."""
    return _clock_gettime(time.CLOCK_MONOTONIC)


class Openings:
    """What was opened since this was made, by KEY; and threads that were started."""

    def __init__(self) -> None:
        self._by_key: dict[int, Opening] = {}
        self._incomplete: list[tuple[weakref.ref[socket.socket], Opening, int]] = []  # with the thread
        self._popens: list[tuple[weakref.ref[Any], Opening]] = []  # subprocess.Popen, which has the pid
        self._forks: list[tuple[int, Opening]] = []  # by number
        self._threads: weakref.WeakKeyDictionary[threading.Thread, Opening] = weakref.WeakKeyDictionary()
        self._own: weakref.WeakSet[threading.Thread] = weakref.WeakSet()  # started by the test
        self._paused = False
        self.loops: weakref.WeakSet[Any] = weakref.WeakSet()  # of asyncio, in which something was opened or started
        self.foreign: weakref.WeakSet[threading.Thread] = weakref.WeakSet()  # started by a thread of wider scope
        self.files = Files()
        self.collected = Collected()
        self.replaces: dict[int, frozenset[int]] = {}  # KEY -> as of wider.replaceable

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
        self.complete()
        return dict(self._by_key)

    def of_thread(self, thread: threading.Thread) -> Opening | None:
        """Where that thread was started."""
        return self._threads.get(thread)

    def of_process(self, pid: int) -> Opening | None:
        """Where a child, or the one that it descends from, was started by subprocess or by a fork."""
        import psutil

        known = {forks.pid(number): opening for number, opening in self._forks}
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

    def of_descriptor(self, target: str, fd: int) -> tuple[Opening, ...]:
        """The lines that may have opened a descriptor that is no socket."""
        for ref, opening in self._popens:
            popen = ref()
            if fd in [pipe.fileno() for pipe in _open_pipes(popen)]:
                return (opening,)
        return self.files.of(target, fd) or self._of_loop(fd)

    def _of_loop(self, fd: int) -> tuple[Opening, ...]:
        """The selector of an event loop raises no event, but the sockets of its self-pipe do."""
        asyncio = sys.modules.get("asyncio")
        if asyncio is None:
            return ()
        for one in gc.get_objects():
            if issubclass(type(one), asyncio.AbstractEventLoop) and fd in (fds := snapshot.descriptors_of(one)):
                opening = self._by_key.get(_key(fds[0]) or 0)
                return (opening,) if opening else ()
        return ()

    def start(self, thread: threading.Thread) -> None:
        """A thread that is about to be started."""
        self._threads[thread] = self._opening(sys._getframe(2))
        if self._in_foreign_thread():
            self.foreign.add(thread)
        elif not self._paused:
            self._own.add(thread)

    def see(self, event: str, args: tuple[Any, ...]) -> None:
        """One audit event of _EVENTS."""
        frame = sys._getframe(2)
        if self._paused:
            if event == "socket.connect" and (to := _address(args[1])) and (key := _key(_FILENO(args[0]))):
                wider.opened(key, to, frame)
        elif event in _FILES:
            if not frame.f_code.co_filename.startswith(_NOT_THEIRS):
                self.files.saw(event, args, self._opening(frame))
        elif event == "subprocess.Popen":
            self._popens.append((weakref.ref(frame.f_locals["self"]), self._opening(frame)))
        else:
            self.complete()
            if event == "socket.__new__":
                self._announce(args[0], frame)
            else:
                self._bound(args, _address(args[1]) if event == "socket.connect" else None, frame)

    def _bound(self, args: tuple[Any, ...], to: tuple[str, int] | None, frame: FrameType) -> None:
        """A socket connects or is bound: the line says more than the one that made the socket."""
        fd = _FILENO(args[0])
        if to and (key := _key(fd)) and (candidates := wider.replaceable(to, frame)):
            self.replaces[key] = candidates
        self._note(fd, self._opening(frame)._replace(to=to), weakref.ref(args[0]), again=True)

    def fork(self, number: int) -> None:
        """A child was just forked."""
        if not self._paused:
            self._forks.append((number, self._opening(sys._getframe(2))))

    def _announce(self, sock: socket.socket, frame: FrameType) -> None:
        """The event comes before the socket has its descriptor, unless it is made around one (accept, pairs)."""
        given = frame.f_locals.get("fileno") if frame.f_code is _INIT else None
        with contextlib.suppress(TypeError):  # objects of C code have no weak references
            if given is None:
                self._incomplete.append((weakref.ref(sock), self._opening(frame), _get_ident()))
            elif (listener := _listener(frame.f_back)) is None:
                self._note(given, self._opening(frame), weakref.ref(sock))
            else:
                server = self._by_key.get(listener)
                opening = self._opening(frame, server)
                of_wider = server is None and (not opening.direct or self._in_foreign_thread())
                self._note(given, opening._replace(foreign=opening.foreign or of_wider), weakref.ref(sock))

    def _in_foreign_thread(self) -> bool:
        """Whether this thread is of something that was there before the test."""
        thread = _current_thread()
        return thread is not _main and thread not in self._own

    def complete(self) -> None:
        """Find the KEYs of sockets that were not complete when they were announced."""
        waiting, self._incomplete = self._incomplete, []
        me = _get_ident()
        for ref, opening, thread in waiting:
            sock = ref()
            # If this thread announced it, it is complete by now: without a descriptor it has been closed.
            if sock is not None and not self._note(_FILENO(sock), opening, ref) and thread != me:
                self._incomplete.append((ref, opening, thread))

    def _note(self, fd: int, opening: Opening, sock: weakref.ref[Any], again: bool = False) -> bool:
        """Remember a socket by its KEY; False: it has none. again: it is known already, and this line (connect, bind)
        is remembered instead, unless the first one was direct and this one is not."""
        key = _key(fd)
        if key is None:
            return False
        self.collected.track(key, sock)
        known = self._by_key.get(key)
        # Where a KEY may be used again, each opening is another socket, and one that was not opened here is older.
        if (known or not again) if snapshot.backend.REUSES_KEYS else (again or not known):
            if again and known and known.direct and not opening.direct:
                opening = known._replace(to=opening.to)
            self._by_key[key] = opening._replace(fd=fd)
            if len(self._by_key) % _MANY == 0:
                self._forget()
        return True

    def _forget(self) -> None:
        """So that a test may open a million. The newer half stays: a thread or a child may still hold one."""
        for key in list(self._by_key)[:-_MANY]:
            if _key(self._by_key[key].fd) != key:
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
        thread = _current_thread()
        if thread is _main:
            return Opening(now, own or all_lines, direct=direct)
        started = self._threads.get(thread)
        lines = started.lines if started else ()
        meanwhile = () if started else _test_stands_at()
        return Opening(now, own or all_lines, thread.name, lines, meanwhile, direct=direct, foreign=wider.is_blamed())


def _key(fd: int) -> int | None:
    """None: it is closed."""
    try:
        key: int | None = snapshot.backend.key(fd)
    except OSError:
        return None
    return key


def _listener(frame: FrameType | None) -> int | None:
    """The KEY of the socket that accepts, if that is what is being done."""
    if frame is None or frame.f_code is not _ACCEPT:
        return None
    return _key(_FILENO(frame.f_locals["self"]))


def _test_stands_at() -> tuple[Line, ...]:
    frames = _current_frames()
    try:
        return lines_of(frames.get(_main.ident or 0))[1]
    finally:
        frames.clear()  # our own frame is among them: a reference cycle


def _open_pipes(popen: Any) -> list[Any]:
    pipes = [getattr(popen, name, None) for name in ("stdin", "stdout", "stderr")]
    return [pipe for pipe in pipes if pipe is not None and not pipe.closed]


def _address(given: Any) -> tuple[str, int] | None:
    """(ip, port) of what a socket is asked to connect to, None for a name or a path."""
    if isinstance(given, tuple) and len(given) >= 2 and isinstance(given[0], str) and isinstance(given[1], int):
        for family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(OSError, ValueError):
                _inet_pton(family, given[0])
                return given[0], given[1]
    return None
