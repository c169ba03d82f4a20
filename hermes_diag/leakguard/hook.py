"""Installs an audit hook in Python, once, which tells the running guard of each socket, file, thread and fork.

An audit hook cannot be removed: it is installed when it is first needed (with wrappers of Thread.start and
socket.detach), and costs one comparison per audit event when no test is watched.

What runs in here runs in the middle of the code under test: it calls nothing that a test may have replaced, reads no
file, and no error of it comes out. Signals are handled in here, too, and what their handlers raise does come out.
"""

from __future__ import annotations

import _thread
import functools
import os
import sys
import threading
import time
from types import FrameType
from typing import Any

from hermes_diag.leakguard import forks, wider
from hermes_diag.leakguard.collected import Collected
from hermes_diag.leakguard.origins import SOCKET, Openings
from hermes_diag.leakguard.stacks import OURS

_EVENTS = frozenset(
    {
        "socket.__new__",
        "socket.connect",
        "socket.bind",
        "subprocess.Popen",
        "open",
        "sqlite3.connect",
        "mmap.__new__",
        "sys.unraisablehook",
    }
)
_watching: Openings | None = None
_installed = False


class _Unnoticed:
    """An error of ours must not reach the code under test: it is swallowed. All other exceptions come through."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> bool:
        return isinstance(exc, Exception) and not _of_a_signal(exc)


_unnoticed = _Unnoticed()


def _of_a_signal(exc: BaseException) -> bool:
    """Whether the handler of a signal raised it: that is the one function here that is given a frame."""
    trace = exc.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if not frame.f_code.co_filename.startswith(OURS):
            given = list(frame.f_locals.values())
            given += [one for several in given if isinstance(several, tuple) for one in several]
            if any(isinstance(one, FrameType) for one in given):
                return True
        trace = trace.tb_next
    return False


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _watching is not None and event in _EVENTS:
        with _unnoticed:
            if event == "sys.unraisablehook":
                _give_back(args[1])
            else:
                _watching.see(event, args)


def _give_back(lost: Any) -> None:
    """What a handler of a signal raises within our callback of the collector, Python only prints: raise it again."""
    if getattr(lost.object, "__func__", None) is not Collected.phase:
        return
    _start_new_thread(_raise_later, (lost.exc_type,))


def _raise_later(kind: type[BaseException]) -> None:
    """In the main thread, when it is back in the code under test: now it would be raised in a hook again."""
    import ctypes

    _sleep(0.02)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(_main.ident or 0), ctypes.py_object(kind))


_main, _start_new_thread, _sleep = threading.main_thread(), _thread.start_new_thread, time.sleep
_start_thread = threading.Thread.start


@functools.wraps(_start_thread)
def _start(self: threading.Thread) -> None:
    with _unnoticed:
        wider.pass_on(self)  # also between two tests
        if _watching is not None:
            _watching.start(self)
    _start_thread(self)


_detach = SOCKET.detach


@functools.wraps(_detach)
def _detached(self: Any) -> int:
    """After it the descriptor says no more which socket it was."""
    if _watching is not None:
        with _unnoticed:
            _watching.complete()
    return int(_detach(self))


def _forked() -> None:
    if _watching is not None:
        with _unnoticed:
            _watching.fork(forks.number())


def watch(openings: Openings | None) -> Openings | None:
    """From now on these remember what is opened; None: nothing does. Returns what did before, to be put back later."""
    global _watching, _installed
    if openings is not None and not _installed:
        sys.addaudithook(_hook)
        # Python tells an audit hook of new threads since 3.12 only.
        threading.Thread.start = _start  # type: ignore[method-assign]
        SOCKET.detach = _detached
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=forks.before, after_in_child=forks.in_child, after_in_parent=_forked)
        _installed = True
    before, _watching = _watching, openings
    return before
