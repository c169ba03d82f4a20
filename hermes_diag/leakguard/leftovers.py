"""What was left behind since a moment, with the lines that opened it.

Counted are sockets that this process or a child of it still holds, and those that the kernel keeps open
although no descriptor is left (a thread still reads from it). A socket that was closed is not left behind,
whatever TCP state it is still in.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import time
import warnings
from dataclasses import dataclass, replace
from typing import Any

from hermes_diag.core.sockets import CLOSE_WAIT, LET_GO, SocketRow
from hermes_diag.leakguard import snapshot
from hermes_diag.leakguard.backends import NOWHERE, Place
from hermes_diag.leakguard.limits import Limits
from hermes_diag.leakguard.origins import Opening, Openings, clock
from hermes_diag.leakguard.snapshot import Held
from hermes_diag.leakguard.stacks import is_own
from hermes_diag.watch.descriptors import socket_text

#: Seconds between two looks while things may still go, first and last.
_SOON, _LATER = 0.002, 0.05
#: Rounds of an event loop at a time: closing a connection takes a few.
_TURNS = 5


@dataclass(frozen=True)
class Socket:
    """A socket left behind.

    row: as the kernel shows it; of a socket that is in no TCP table the state is CLOSE or the protocol's
    name (UNIX, UDP ...) and the addresses are empty. age: seconds since it was opened, None: unknown.
    holder: a child's pid, 0 for this process, None: nobody has a descriptor. opening: if unknown, that of the
    child. collected: only the garbage collector closed it.
    """

    row: SocketRow
    holder: int | None
    fd: int | None
    opening: Opening | None
    age: float | None
    collected: bool = False


@dataclass(frozen=True)
class Left:
    """What was left: sockets; other descriptors by what they point to; threads and where each was started."""

    sockets: tuple[Socket, ...] = ()
    fds: tuple[str, ...] = ()
    threads: tuple[tuple[str, Opening | None], ...] = ()

    def counts(self) -> dict[str, int]:
        """By the names of Limits."""
        waiting = sum(one.row.state == CLOSE_WAIT for one in self.sockets)
        return {
            "close_wait": waiting,
            "leaked": len(self.sockets) - waiting,
            "fds": len(self.fds),
            "threads": len(self.threads),
        }

    def beyond(self, limits: Limits) -> dict[str, tuple[int, int]]:
        """name -> (found, allowed) of every limit that does not hold."""
        found = self.counts()
        allowed = {name: getattr(limits, name) for name in found}
        return {name: (found[name], most) for name, most in allowed.items() if most is not None and found[name] > most}


def settled(before: Held, openings: Openings, limits: Limits) -> Left:
    """What is left once the limits hold, or when the time to settle is over. Raises CannotMeasure."""
    waited, pause = 0.0, _SOON  # not by a clock: tests may stop it
    while True:
        left = look(before, openings, limits)
        if not left.beyond(limits) or waited >= limits.settle:
            return left
        _pause(pause, _loops(openings))
        waited += pause
        pause = min(pause * 2, _LATER)


def _pause(seconds: float, loops: list[Any]) -> None:
    """Wait, and let the event loops that go on after the test run a few rounds: sockets close in there."""
    time.sleep(seconds)
    asyncio = sys.modules.get("asyncio")
    for loop in loops:
        if asyncio is not None and asyncio._get_running_loop() is None and not loop.is_running():
            with contextlib.suppress(RuntimeError):  # something in it has stopped it
                for _ in range(_TURNS):
                    loop.run_until_complete(asyncio.sleep(0))  # no timers: its clock may stand still


def look(before: Held, openings: Openings, limits: Limits) -> Left:
    """What is left now. Raises CannotMeasure."""
    loops, known = _loops(openings), _known(before, openings)
    fds = [snapshot.descriptors_of(loop) for loop in loops]
    after = snapshot.now({fd for own in fds if own and snapshot.backend.key(own[0]) not in known for fd in own})
    threads = (
        set(after.threads) - set(before.threads) - {thread for loop in loops for thread in snapshot.threads_of(loop)}
    )
    return Left(
        _sockets(before, after, openings, limits),
        _fds(before, after),
        tuple((thread.name, openings.of_thread(thread)) for thread in _by_name(threads)),
    )


def _loops(openings: Openings) -> list[Any]:
    """Event loops that go on when the test is over, and that code under test has not made in it."""
    opened, found = openings.sockets(), []
    for loop in {snapshot.kept_loop(), *openings.loops} - {None}:
        fds = snapshot.descriptors_of(loop)
        opening = opened.get(snapshot.backend.key(fds[0])) if fds else None
        if not loop.is_closed() and not (opening and any(is_own(line.file) for line in opening.lines)):
            found.append(loop)
    return found


def _known(before: Held, openings: Openings) -> set[int]:
    """KEYs of the sockets that were there before and not made since."""
    return before.keys() - openings.sockets().keys() if snapshot.backend.REUSES_KEYS else before.keys()


def collect(left: Left, before: Held, openings: Openings, limits: Limits) -> Left:
    """The same, with those sockets marked that are closed once garbage has been collected.

    That is done after judging: a client that only the garbage collector closes counts as not closed.
    """
    with warnings.catch_warnings():
        # "unclosed socket" would be said a second time, and not by the test that left it.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    still = {one.row.inode for one in look(before, openings, limits).sockets}
    return replace(left, sockets=tuple(replace(one, collected=one.row.inode not in still) for one in left.sockets))


def _sockets(before: Held, after: Held, openings: Openings, limits: Limits) -> tuple[Socket, ...]:
    opened, known = openings.sockets(), _known(before, openings)
    places: dict[int, Place] = {
        key: (pid, fd)
        for pid, sockets in after.children.items()
        for key, fd in sockets.items()
        # What a process that was there before the test opens by itself does not count.
        if pid not in before.children or key in opened
    }
    places |= {key: (0, fd) for key, fd in after.sockets().items()}
    suspects = {key: places.get(key, (None, None)) for key in (places.keys() | opened.keys()) - known}
    if not suspects:
        return ()
    wanted, now = limits.wants(), clock()
    found = []
    for key, row in sorted(snapshot.backend.rows(suspects).items()):
        holder, fd = suspects[key]
        opening = opened.get(key)
        if opening and opening.to and row.remote == NOWHERE:
            row = row._replace(remote=opening.to)
        if (fd is None and row.state in LET_GO) or (limits.remote and not wanted(row)):
            continue
        age = now - opening.at if opening else None
        found.append(Socket(row, holder, fd, opening or (openings.of_process(holder) if holder else None), age))
    return tuple(found)


def _fds(before: Held, after: Held) -> tuple[str, ...]:
    """What new descriptors point to; those of new sockets are counted as sockets."""
    new_sockets = {socket_text(key) for key in after.sockets().keys() - before.sockets().keys()}
    more = after.descriptors() - before.descriptors()
    not_counted = {*new_sockets, *(after.targets.get(fd, "") for fd in _of_multiprocessing())}
    return tuple(sorted(target for target in more.elements() if target not in not_counted))


def _of_multiprocessing() -> set[int]:
    """Descriptors of the pipes that it opens once for the life of the process."""
    found = set()
    for name, thing, attribute in (
        ("resource_tracker", "_resource_tracker", "_fd"),
        ("forkserver", "_forkserver", "_forkserver_alive_fd"),
    ):
        module = sys.modules.get(f"multiprocessing.{name}")
        found.add(getattr(getattr(module, thing, None), attribute, None))
    return {fd for fd in found if fd is not None}


def _by_name(threads: set[threading.Thread]) -> list[threading.Thread]:
    return sorted(threads, key=lambda thread: thread.name)
