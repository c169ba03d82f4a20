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
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from hermes_diag.core.sockets import LET_GO, SocketRow
from hermes_diag.leakguard import snapshot, wider
from hermes_diag.leakguard.backends import NOWHERE, Place
from hermes_diag.leakguard.left import COLLECTED, Descriptor, Left, Socket
from hermes_diag.leakguard.limits import Limits
from hermes_diag.leakguard.opening import Opening
from hermes_diag.leakguard.origins import Openings, clock
from hermes_diag.leakguard.snapshot import Held
from hermes_diag.leakguard.stacks import is_own
from hermes_diag.watch.descriptors import socket_text

#: Seconds between two looks while things may still go, first and last.
_SOON, _LATER = 0.002, 0.05
#: Rounds of an event loop at a time: closing a connection takes a few.
_TURNS = 5


def settled(before: Held, openings: Openings, limits: Limits) -> Left:
    """What is left once the limits hold, or when the time to settle is over. Raises CannotMeasure."""
    waited, pause = 0.0, _SOON  # not by a clock: tests may stop it
    while True:
        left = look(before, openings, limits)
        if not left.beyond(limits) or waited >= limits.settle or not _may_change(left, limits, openings):
            return left
        _pause(pause, _loops(openings))
        waited += pause
        pause = min(pause * 2, _LATER)


def _may_change(left: Left, limits: Limits, openings: Openings) -> bool:
    """Whether waiting may help: somebody is there who may close something, or the other side may do it."""
    if Left(tuple(one for one in left.sockets if one.row.state == COLLECTED)).beyond(limits):
        return False
    if left.threads or any(one.holder != 0 for one in left.sockets) or left.may_fit(limits):
        return True
    return snapshot.backend.threads() > 1 or bool(_loops(openings))


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
    sockets, replaced = _sockets(before, after, openings, limits)
    return Left(
        (*sockets, *_collected(openings, {*before.keys(), *(one.row.inode for one in sockets)}, limits)),
        _fds(before, after),
        tuple(
            (thread.name, openings.of_thread(thread))
            for thread in _by_name(_new_threads(before, after, openings, loops))
        ),
        tuple(replaced.items()),
    )


def _new_threads(before: Held, after: Held, openings: Openings, loops: list[Any]) -> set[threading.Thread]:
    """Those that the test, or a thread of the test, has started."""
    of_loops = {thread for loop in loops for thread in snapshot.threads_of(loop)}
    return set(after.threads) - set(before.threads) - of_loops - set(openings.foreign) - set(wider.blamed)


def blame(before: Held, openings: Openings) -> None:
    """What the threads do that this test has left is not the fault of a later one."""
    wider.blame(_new_threads(before, snapshot.now(), openings, _loops(openings)))


def _loops(openings: Openings) -> list[Any]:
    """Event loops that go on when the test is over, and that code under test has not made in it."""
    found: list[Any] = []
    loops = {snapshot.kept_loop(), *openings.loops} - {None}
    opened = openings.sockets() if loops else {}
    for loop in loops:
        fds = snapshot.descriptors_of(loop)
        opening = opened.get(snapshot.backend.key(fds[0])) if fds else None
        if not loop.is_closed() and not (opening and any(is_own(line.file) for line in opening.lines)):
            found.append(loop)
    return found


def _known(before: Held, openings: Openings) -> set[int]:
    """KEYs of the sockets that were there before and not made since."""
    return before.keys() - openings.sockets().keys() if snapshot.backend.REUSES_KEYS else before.keys()


def explained(left: Left, before: Held, openings: Openings, limits: Limits) -> Left:
    """The same, with the lines that opened descriptors, and with those sockets marked that are closed once garbage has
    been collected.

    That is done after judging: a client that only the garbage collector closes counts as not closed.
    """
    fds = tuple(replace(one, openings=openings.of_descriptor(one.target, one.fd)) for one in left.fds)
    if not openings.collected.has_object({one.row.inode for one in left.sockets}):
        return replace(left, fds=fds)  # nothing for the collector to close: descriptors without an object
    with warnings.catch_warnings():
        # "unclosed socket" would be said a second time, and not by the test that left it.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    still = {one.row.inode for one in look(before, openings, limits).sockets if not one.collected}
    sockets = tuple(replace(one, collected=one.row.inode not in still) for one in left.sockets)
    return replace(left, fds=fds, sockets=sockets)


def _sockets(
    before: Held, after: Held, openings: Openings, limits: Limits
) -> tuple[tuple[Socket, ...], dict[int, int]]:
    """What is left; and which of the new ones take the place of an old one of a wider fixture, which are not left."""
    opened, known = openings.sockets(), _known(before, openings)
    places: dict[int, Place] = {
        key: (pid, fd)
        for pid, sockets in after.children.items()
        for key, fd in sockets.items()
        # What a process that was there before the test opens by itself does not count.
        if pid not in before.children or key in opened
    }
    places |= {key: (0, fd) for key, fd in after.sockets().items()}
    strangers = {key for key, opening in opened.items() if opening.foreign}
    suspects = {key: places.get(key, (None, None)) for key in (places.keys() | opened.keys()) - known - strangers}
    if not suspects:
        return (), {}
    rows = snapshot.backend.rows(suspects, {opening.fd for key, opening in opened.items() if key in suspects})
    gone = before.keys() - (after.keys() - opened.keys())
    replaced = wider.replaced({key: of for key, of in openings.replaces.items() if key in rows}, gone)
    of_servers = _accepted_unseen(before, rows.keys() - opened.keys(), rows)
    found = []
    for key, row in sorted(rows.items()):
        if key not in replaced and key not in of_servers:
            found.append(_socket(row, suspects[key], opened.get(key), openings))
    return tuple(one for one in found if _counts(one, limits)), replaced


def _socket(row: SocketRow, place: Place, opening: Opening | None, openings: Openings) -> Socket:
    holder, fd = place
    if opening and opening.to and row.remote == NOWHERE:
        row = row._replace(remote=opening.to)
    age = clock() - opening.at if opening else None
    return Socket(row, holder, fd, opening or (openings.of_process(holder) if holder else None), age)


def _counts(one: Socket, limits: Limits) -> bool:
    if one.fd is None and one.row.state in LET_GO:
        return False
    return not limits.remote or limits.wants()(one.row)


def _accepted_unseen(before: Held, unseen: Collection[int], rows: dict[int, SocketRow]) -> set[int]:
    """Connections that C code has accepted (uvloop does), by a server that was there before the test."""
    if not unseen:
        return set()
    there: dict[int, Place] = {key: (0, fd) for key, fd in before.sockets().items()}
    ports = {row.local[1] for row in snapshot.backend.rows(there).values() if row.state == "LISTEN"}
    return {key for key in unseen if rows[key].state != "LISTEN" and rows[key].local[1] in ports}


def _collected(openings: Openings, others: set[int | None], limits: Limits) -> tuple[Socket, ...]:
    """Those that the garbage collector has closed meanwhile."""
    if not openings.collected.keys:
        return ()
    opened = openings.sockets()
    keys = (openings.collected.keys & opened.keys()) - others
    ours = {key: opening for key, opening in opened.items() if key in keys and not opening.foreign}
    rows = [(SocketRow(COLLECTED, NOWHERE, opening.to or NOWHERE, inode=key), opening) for key, opening in ours.items()]
    found = [Socket(row, 0, None, opening, clock() - opening.at, True) for row, opening in rows]
    return tuple(one for one in found if _counts(one, limits))


def _fds(before: Held, after: Held) -> tuple[Descriptor, ...]:
    """New descriptors; those of new sockets are counted as sockets."""
    new_sockets = {socket_text(key) for key in after.sockets().keys() - before.sockets().keys()}
    not_counted = {*new_sockets, *(after.targets.get(fd, "") for fd in _of_multiprocessing())}
    more = after.descriptors() - before.descriptors()
    found, named = [], Counter[str]()
    for fd, target in sorted(after.targets.items(), reverse=True):
        new = before.targets.get(fd) != target
        if new and target not in not_counted and named[target] < more[target]:
            named[target] += 1
            found.append((target, fd))
    return tuple(Descriptor(target, fd) for target, fd in sorted(found))


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
