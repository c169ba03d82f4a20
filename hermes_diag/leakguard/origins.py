"""Remembers which line of code opened a socket or started a thread, while somebody watches.

An audit hook sees every socket that Python opens, whatever library asks, and the stack at that moment. It
cannot be taken off again: it is put on when first wanted (with a wrapper of Thread.start), and costs one
comparison per audit event when nobody watches. A socket is known by its KEY (see backends).

Limits: sockets that C code opens by itself (uvloop, gRPC, curl) raise no audit event. Only names and
numbers of lines are kept, no frame: a kept frame would keep the client alive and forge a leak.
"""

from __future__ import annotations

import _socket
import contextlib
import functools
import os
import socket
import sys
import sysconfig
import threading
import time
import weakref
from collections.abc import Iterator
from types import FrameType
from typing import Any, NamedTuple

from hermes_diag.leakguard import snapshot
from hermes_diag.leakguard.backends import Place, sockets_of

#: Openings remembered before those whose socket is closed are forgotten.
_MANY = 4096
#: Frames looked at, the innermost first.
_DEPTH = 200


def clock() -> float:
    """Seconds that go on: tests stop time.monotonic."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


class Line(NamedTuple):
    """A line that was being executed."""

    file: str
    number: int
    function: str


class Opening(NamedTuple):
    """When and where something was opened or started.

    at: seconds of `clock`. lines: of the code under test and its test, the innermost first; where
    there are none, of the library. thread: the name of the thread if not the main one. started: where that
    thread was started. to: where a socket was to be connected, if that was an address: of one that was reset the
    kernel does not show it any more. direct: a line of one's own called for it, not what an event loop or another
    thread goes on with. accepted: the lines are those that opened the server, since none called for this connection.
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
        self._unborn: list[tuple[weakref.ref[socket.socket], Opening, int]] = []  # with the thread
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
        self._give_birth()
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
        self._give_birth()
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
            with contextlib.suppress(TypeError):  # no weak reference to what C code makes
                self._unborn.append((weakref.ref(sock), self._opening(frame), threading.get_ident()))
        else:
            self._note(given, self._opening(frame, self._server(frame.f_back)))

    def _server(self, frame: FrameType | None) -> Opening | None:
        """The opening of the socket that accepts, if that is what is being done."""
        if frame is None or frame.f_code is not _ACCEPT:
            return None
        return self._by_key.get(snapshot.backend.key(_socket.socket.fileno(frame.f_locals["self"])))

    def _give_birth(self) -> None:
        """Find the KEYs of sockets that were not complete when they were announced."""
        waiting, self._unborn = self._unborn, []
        me = threading.get_ident()
        for ref, opening, thread in waiting:
            sock = ref()
            # A thread that has come here has made what it announced: that is closed if it has no descriptor.
            if sock is not None and not self._note(_socket.socket.fileno(sock), opening) and thread != me:
                self._unborn.append((ref, opening, thread))

    def _note(self, fd: int, opening: Opening, again: bool = False) -> bool:
        """Remember a socket by its KEY; False: it has none. again: it was opened before, but this line says more,
        unless that one called for it and this one does not."""
        try:
            key = snapshot.backend.key(fd)
        except OSError:
            return False
        if key is None:
            return False
        known = self._by_key.get(key)
        # Of a KEY that is used again each birth is another socket, and what was not born meanwhile is from before.
        if (known or not again) if snapshot.backend.REUSES_KEYS else (again or not known):
            if again and known and known.direct and not opening.direct:
                opening = known._replace(to=opening.to)
            self._by_key[key] = opening
            if len(self._by_key) % _MANY == 0:
                self._forget()
        return True

    def _forget(self) -> None:
        """Drop what is closed, so that a test may open a million sockets; not that in which a thread still waits."""
        still = sockets_of(snapshot.backend.descriptors())
        without: dict[int, Place] = {key: (None, None) for key in self._by_key if key not in still}
        for key in without.keys() - snapshot.backend.rows(without).keys():
            del self._by_key[key]

    def _opening(self, frame: FrameType | None, server: Opening | None = None) -> Opening:
        """server: that of the socket that accepts."""
        now = clock()
        if (asyncio := sys.modules.get("asyncio")) and (loop := asyncio._get_running_loop()):
            self.loops.add(loop)
        all_lines, own, below = _lines(frame)
        direct = bool(own) and below
        if server and not direct:
            return server._replace(at=now, accepted=True)
        if not below:
            # A task that a library made: the lines of the task which waits say more than the runner's.
            own = _waiting_lines() or own
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


def _lines(frame: FrameType | None) -> tuple[tuple[Line, ...], tuple[Line, ...], bool]:
    """(the innermost lines of any code, those of one's own, whether own ones come before an event loop's)."""
    lines: list[Line] = []
    own: list[Line] = []
    in_task, below = True, False
    for _ in range(_DEPTH):
        if frame is None or _PYTEST in frame.f_code.co_filename:
            break  # what called pytest is nobody's code under test
        code = frame.f_code
        line = Line(code.co_filename, frame.f_lineno, code.co_name)
        if is_own(code.co_filename):
            own.append(line)
            below = below or in_task
        elif in_task and code.co_filename.endswith(_EVENT_LOOPS):
            in_task = False
        if len(lines) < 8 and not is_stdlib(code.co_filename):
            lines.append(line)
        frame = frame.f_back
    return tuple(lines[:4]), tuple(own), below or in_task


_PYTEST = f"{os.sep}_pytest{os.sep}"
_EVENT_LOOPS = (os.path.join("asyncio", "events.py"), os.path.join("trio", "_core", "_run.py"))
#: Tests put other things in the place of socket.socket; this is what Python calls so.
_SOCKET: Any = next(kind for kind in _socket.socket.__subclasses__() if kind.__module__ == "socket")
_INIT, _ACCEPT = _SOCKET.__init__.__code__, _SOCKET.accept.__code__


def _waiting_lines() -> tuple[Line, ...]:
    """Own lines of the task that waits for this one, as far as that can be told."""
    return _of_asyncio(sys.modules.get("asyncio")) or _of_trio(sys.modules.get("trio"))


def _of_asyncio(asyncio: Any) -> tuple[Line, ...]:
    """asyncio knows no parents; but what waits for a task has left a callback with it. Nothing when nobody waits
    yet, and when several do."""
    try:
        me = asyncio.current_task()
    except (AttributeError, RuntimeError):
        return ()
    waiting, found = [me], []
    for future in waiting:  # which grows
        for callback, *_ in getattr(future, "_callbacks", None) or ():
            for one in _behind(callback):
                if asyncio.isfuture(one) and not any(one is other for other in waiting) and len(waiting) < _DEPTH:
                    lines = _suspended(one.get_coro()) if hasattr(one, "get_coro") else ()
                    found += [lines] if lines else []
                    waiting += [] if lines else [one]
    return found[0] if len(set(found)) == 1 else ()


def _behind(callback: Any) -> list[Any]:
    """What a callback of a future is for: a task that awaits it, the future of gather, wait, wait_for or shield, the
    task in which a group of tasks lives."""
    things = [getattr(callback, "__self__", None), *getattr(callback, "args", ())]
    for cell in getattr(callback, "__closure__", None) or ():
        with contextlib.suppress(ValueError):  # empty
            things.append(cell.cell_contents)
    homes = [getattr(one, "_parent_task", None) for one in things]  # asyncio.TaskGroup
    homes += [getattr(getattr(one, "cancel_scope", None), "_host_task", None) for one in things]  # that of anyio
    return [*things, *(task for task in homes if task is not None and _waits_for_its_group(task))]


def _waits_for_its_group(task: Any) -> bool:
    """Whether a task stands at the end of a group, or in a library that has made one; and not at a line of one's own
    within an `async with`."""
    coroutine, inner = task.get_coro(), ""
    while coroutine is not None:
        if getattr(coroutine, "__name__", "") == "__aexit__":
            return True
        code = getattr(coroutine, "cr_code", None)
        inner = code.co_filename if code and not is_stdlib(code.co_filename) else inner
        coroutine = getattr(coroutine, "cr_await", None)
    return not is_own(inner)


def _of_trio(trio: Any) -> tuple[Line, ...]:
    try:
        task = trio.lowlevel.current_task()
    except (AttributeError, RuntimeError):
        return ()
    lines: tuple[Line, ...] = ()
    while not lines and task.parent_nursery is not None:
        task = task.parent_nursery.parent_task
        lines = _suspended(task.coro)
    return lines


def _suspended(coroutine: Any) -> tuple[Line, ...]:
    """The own lines at which a coroutine stands, the innermost first."""
    lines: list[Line] = []
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None and is_own(frame.f_code.co_filename):
            lines.append(Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return tuple(reversed(lines))


_realpath = os.path.realpath  # which a test may put something else in the place of
_STDLIB = tuple({_realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib")})
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


@functools.cache
def is_own(file: str) -> bool:
    """Whether a file is of the project under test: not installed, not of Python, not of hermes-diag."""
    return not (is_stdlib(file) or file.startswith(_OURS) or any(folder in file for folder in _INSTALLED))


@functools.cache
def is_stdlib(file: str) -> bool:
    """Whether a file is of Python itself, or no file."""
    path = _realpath(file)
    return file.startswith("<") or (path.startswith(_STDLIB) and not any(folder in path for folder in _INSTALLED))


_EVENTS = frozenset({"socket.__new__", "socket.connect", "socket.bind", "subprocess.Popen"})
_watching: Openings | None = None
_installed = False


class _Unnoticed:
    """We must never break what we look at: of exceptions only those that are not ours come through."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> bool:
        return isinstance(exc, Exception) and _is_ours(exc)


_unnoticed = _Unnoticed()


def _is_ours(exc: Exception) -> bool:
    """Whether we failed; else it is what a signal's handler raised meanwhile."""
    trace = exc.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(_OURS) and not is_stdlib(file):
            return False
        trace = trace.tb_next
    return True


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _watching is not None and event in _EVENTS:
        with _unnoticed:
            _watching.see(event, args)


_start_thread = threading.Thread.start


@functools.wraps(_start_thread)
def _start(self: threading.Thread) -> None:
    if _watching is not None:
        with _unnoticed:
            _watching.start(self)
    _start_thread(self)


def _forked() -> None:
    if _watching is not None:
        with _unnoticed:
            pid = snapshot.backend.newest_child()
            if pid is not None:
                _watching.fork(pid)


def watch(openings: Openings | None) -> Openings | None:
    """From now on these remember; None: nobody does. Returns who did before, to be put back."""
    global _watching, _installed
    if openings is not None and not _installed:
        sys.addaudithook(_hook)
        # Python tells an audit hook of new threads since 3.12 only.
        threading.Thread.start = _start  # type: ignore[method-assign]
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_parent=_forked)
        _installed = True
    before, _watching = _watching, openings
    return before
