"""What outlives a test rightfully, or was another test's: pools of wider scope that reconnect, threads already named.

Kept for the whole session: what a later test finds was made by an earlier one, or by a fixture of wider scope.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import FrameType
from typing import Any, NamedTuple

from hermes_diag.leakguard.stacks import DEPTH, is_pytest

_current_thread = threading.current_thread  # called while a test may have replaced it
Address = tuple[str, int]
#: Modules whose objects connect for everybody: an event loop that two pools run in is not a pool.
_SHARED = frozenset({"asyncio", "anyio", "trio", "uvloop", "threading", "concurrent", "socket", "ssl", "selectors"})
#: Threads that a failed test has left, and those that they have started.
blamed: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


class _Connection(NamedTuple):
    """Opened while a fixture of wider scope was set up, or instead of one that was. owners: the objects that asked."""

    to: Address
    owners: tuple[weakref.ref[Any], ...]


_connections: dict[int, _Connection] = {}  # by KEY
_MANY = 4096


def opened(key: int, to: Address, frame: FrameType | None) -> None:
    """A fixture of wider scope connects, as it is set up."""
    _remember(key, _Connection(to, tuple(_owners(frame))))


def _remember(key: int, connection: _Connection) -> None:
    _connections[key] = connection
    if len(_connections) > _MANY:
        del _connections[next(iter(_connections))]


def replaceable(to: Address, frame: FrameType | None) -> frozenset[int]:
    """KEYs of the connections there that the object which now connects has opened before."""
    there = {key: one for key, one in _connections.items() if one.to == to}
    if not there:
        return frozenset()
    owners = {id(one()) for one in _owners(frame)}
    return frozenset(key for key, one in there.items() if any(id(ref()) in owners for ref in one.owners if ref()))


def replaced(candidates: Mapping[int, frozenset[int]], gone: Collection[int]) -> dict[int, int]:
    """Which of the new connections (KEY -> as of `replaceable`) take the place of one that is gone: one each."""
    found: dict[int, int] = {}
    for key, several in candidates.items():
        free = sorted((several & set(gone)) - set(found.values()))
        if free:
            found[key] = free[0]
    return found


def succeed(found: Mapping[int, int]) -> None:
    """From now on the new connection is the fixture's."""
    for new, old in found.items():
        if old in _connections:
            _remember(new, _connections.pop(old))


def _owners(frame: FrameType | None) -> Iterator[weakref.ref[Any]]:
    """The objects whose methods are being executed."""
    for _ in range(DEPTH):
        if frame is None or is_pytest(frame.f_code.co_filename):
            return
        names = frame.f_code.co_varnames
        if names[:1] == ("self",):
            owner = frame.f_locals.get("self")
            if type(owner).__module__.partition(".")[0] not in _SHARED:
                with contextlib.suppress(TypeError):  # some have no weak references
                    yield weakref.ref(owner)
        frame = frame.f_back


def is_blamed() -> bool:
    """Whether this thread was left by a test that has failed for it, or was started by one that was."""
    return bool(blamed) and _current_thread() in blamed


def pass_on(thread: threading.Thread) -> None:
    """This thread is about to start another."""
    if is_blamed():
        blamed.add(thread)


def blame(threads: Iterable[threading.Thread]) -> None:
    """What these do from now on is not the fault of later tests."""
    blamed.update(threads)
