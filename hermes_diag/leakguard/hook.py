"""Installs an audit hook in Python, once, which tells the running guard of each socket, thread and fork.

An audit hook cannot be removed: it is installed when it is first needed (with a wrapper of Thread.start), and costs one
comparison per audit event when no test is watched.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from typing import Any

from hermes_diag.leakguard import snapshot
from hermes_diag.leakguard.origins import Openings
from hermes_diag.leakguard.stacks import OURS, is_stdlib

_EVENTS = frozenset({"socket.__new__", "socket.connect", "socket.bind", "subprocess.Popen"})
_watching: Openings | None = None
_installed = False


class _Unnoticed:
    """An error of ours must not reach the code under test: it is swallowed. All other exceptions come through."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> bool:
        return isinstance(exc, Exception) and _is_ours(exc)


_unnoticed = _Unnoticed()


def _is_ours(exc: Exception) -> bool:
    """Whether it was raised in our code; else a signal handler raised it meanwhile."""
    trace = exc.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(OURS) and not is_stdlib(file):
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
    """From now on these remember what is opened; None: nothing does. Returns what did before, to be put back later."""
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
