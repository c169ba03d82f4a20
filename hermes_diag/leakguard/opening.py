"""When and where something was opened or started. Pure."""

from __future__ import annotations

from typing import NamedTuple

from hermes_diag.leakguard.stacks import Line


class Opening(NamedTuple):
    """When and where something was opened or started.

    at: seconds of `clock`. lines: of the code under test and its test, the innermost first; where
    there are none, of the library. thread: the name of the thread if not the main one. started: where that
    thread was started. meanwhile: where the test stood, if nothing above says a line of it. to: where a socket was to
    be connected, if that was an address: of one that was reset the kernel does not show it any more. direct: a line of
    the code under test opened it, and not an event loop or another thread that works for it. accepted: the lines are
    those that opened the server, since no line of the code under test accepted this connection itself. foreign: it
    is not the test's: a server of wider scope accepted it, or a thread opened it that an earlier test has left. fd: its
    descriptor then.
    """

    at: float
    lines: tuple[Line, ...]
    thread: str = ""
    started: tuple[Line, ...] = ()
    meanwhile: tuple[Line, ...] = ()
    to: tuple[str, int] | None = None
    direct: bool = False
    accepted: bool = False
    foreign: bool = False
    fd: int = -1
