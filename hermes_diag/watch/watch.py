"""Watches a live process: looks at absolute times, and tells what was opened, what is gone and how old the
rest is at least."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from hermes_diag.core.errors import CannotMeasure
from hermes_diag.core.sockets import CLOSE_WAIT, SocketRow
from hermes_diag.watch import filters, process
from hermes_diag.watch.observer import Observer
from hermes_diag.watch.records import Ended, Look, Tick, Watched

#: Endpoints of which a sample tells the sockets; the rest, the least frequent ones, is left out.
ENDPOINTS = 50


class Watch:
    """A watch of one process. Iterate over it for its samples; `ended` says why there are no more.

    interval: seconds from sample to sample. duration, count: when to stop; None is never.
    """

    def __init__(
        self,
        eye: Observer,
        interval: float,
        duration: float | None = None,
        count: int | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._eye = eye
        self._interval = interval
        self._duration = duration
        self._count = count
        self._sleep = sleep
        self._tracker = Tracker()
        self.ended = Ended("interrupted")  # until it is known better
        self.look = eye.look()  # the latest

    def watched(
        self, states: tuple[str, ...] = (), remotes: tuple[str, ...] = (), conditions: tuple[str, ...] = ()
    ) -> Watched:
        """What this is a watch of."""
        look = self.look
        return Watched(
            pid=self._eye.pid,
            name=look.processes[0].name,
            started=look.processes[0].started,
            begun=look.at,
            interval=self._interval,
            backend=look.backend,
            why=look.why,
            children=self._eye.children,
            states=states,
            remotes=remotes,
            missing=look.missing,
            conditions=conditions,
        )

    def __iter__(self) -> Iterator[Tick]:
        begun = due = time.monotonic()
        yield self._tracker.tick(self.look, 0.0, 0.0)
        taken = 1
        while taken != self._count:
            # The next time is a whole number of intervals after the first; those missed are left out.
            due += self._interval * max(1, -(-(time.monotonic() - due) // self._interval))
            if self._duration is not None and due - begun > self._duration + 1e-9:
                break
            self._sleep(max(0.0, due - time.monotonic()))
            at = time.monotonic()
            try:
                self.look = self._eye.look(info=False)
                same = self._eye.is_same()
            except process.Ended as exc:
                self.ended = Ended("exited", exc.message)
                return
            except CannotMeasure as exc:
                self.ended = Ended("lost", exc.message)
                return
            except OSError as exc:  # none of our descriptors is left, /proc is gone
                self.ended = Ended("lost", f"the system refused: {exc.strerror or type(exc).__name__}")
                return
            if not same:
                why = f"process {self._eye.pid} has ended, and its PID now belongs to another process"
                self.ended = Ended("replaced", why)
                return
            taken += 1
            yield self._tracker.tick(self.look, at - begun, max(0.0, at - due))
        self.ended = Ended("done")


class Tracker:
    """Compares each look with the one before. Remembers only sockets that are alive."""

    def __init__(self) -> None:
        self._since: dict[Any, tuple[str, float, str]] = {}  # socket -> state, since, endpoint
        self._closed: dict[tuple[int, int, int | None], float] = {}  # (pid, fd, inode) -> since
        self._known = False
        self._rows: tuple[SocketRow, ...] | None = None  # of the last look
        self._unowned: tuple[SocketRow, ...] = ()  # of the last look, and how many in which state
        self._lost: dict[str, int] = {}

    def tick(self, look: Look, at: float, late: float) -> Tick:
        """One look as a sample of a watch. at: seconds since the watch began."""
        if look.unowned is not self._unowned:  # the same tuple: nothing has changed
            self._unowned, self._lost = look.unowned, dict(Counter(row.state for row in look.unowned))
        opened: Counter[str] = Counter()
        gone: Counter[str] = Counter()
        entered: Counter[str] = Counter()
        if look.rows is not self._rows:
            self._rows = look.rows
            opened, gone, entered = self._compare(look, at)
        tick = _tick(look, at, late, self._since, self._lost, opened, gone, entered)
        return replace(tick, oldest={**tick.oldest, **self._oldest_closed(look, at)})

    def _compare(self, look: Look, at: float) -> tuple[Counter[str], Counter[str], Counter[str]]:
        """Sockets that came and went by endpoint, and those that came into a state; keeps the new table."""
        listening = look.listening
        since: dict[Any, tuple[str, float, str]] = {}
        opened: Counter[str] = Counter()
        entered: Counter[str] = Counter()
        for row in look.rows:
            key = row[5] or row[1:5]
            old = self._since.pop(key, None)
            if old is not None and old[0] == row[0]:
                since[key] = old
                continue
            name = old[2] if old else filters.of(row, listening)
            since[key] = (row[0], at - _known_age(row), name)
            entered[row[0]] += 1
            if old is None:
                opened[name] += 1
        gone = Counter(name for _, _, name in self._since.values())
        if not self._known:
            opened.clear()  # nobody saw the first ones come
            entered.clear()
            self._known = True
        self._since = since
        return opened, gone, entered

    def _oldest_closed(self, look: Look, at: float) -> dict[str, float]:
        """How long the oldest socket that is only a descriptor has been one at least."""
        self._closed = {one: self._closed.get(one, at) for one in look.closed or ()}
        return {"CLOSE": round(at - min(self._closed.values()), 3)} if self._closed else {}


def once(look: Look) -> Tick:
    """A single look as a sample, for conditions on levels and ages: only ages that the kernel tells."""
    tick = Tracker().tick(look, 0.0, 0.0)
    told = {row.state for row in look.rows if row.state == CLOSE_WAIT and row.acked_ms is not None}
    return replace(tick, oldest={state: age for state, age in tick.oldest.items() if state in told})


def _known_age(row: SocketRow) -> float:
    """Seconds that a socket is in its state at least, when it is seen for the first time.

    A FIN comes with an acknowledgement, so that the last one that came is as young as the FIN or
    younger. Nothing else is known of other states.
    """
    return row.acked_ms / 1000 if row.state == CLOSE_WAIT and row.acked_ms is not None else 0.0


def _tick(
    look: Look,
    at: float,
    late: float,
    since: dict[Any, tuple[str, float, str]],
    unowned: dict[str, int],
    opened: Counter[str],
    gone: Counter[str],
    entered: Counter[str],
) -> Tick:
    states, remotes, elsewhere = _counted(since)
    oldest: dict[str, float] = {}
    for state, begun, _ in since.values():
        if begun < oldest.get(state, at + 1):
            oldest[state] = begun
    parts = [
        (one.fds / one.soft_limit, one.soft_limit) for one in look.processes if one.fds is not None and one.soft_limit
    ]
    used, limit = max(parts, default=(None, None))
    return Tick(
        at=round(at, 6),
        late=round(late, 6),
        states=states,
        unowned=unowned,
        closed=None if look.closed is None else len(look.closed),
        processes=len(look.processes),
        fds=_sum(one.fds for one in look.processes),
        limit=limit,
        used=used,
        threads=_sum(one.threads for one in look.processes),
        rss=_sum(one.rss for one in look.processes),
        remotes=remotes,
        elsewhere=elsewhere,
        each={one.pid: (one.fds, one.soft_limit) for one in look.processes if one.fds is not None},
        entered=dict(entered),
        opened=dict(opened),
        gone=dict(gone),
        oldest={state: round(at - begun, 3) for state, begun in oldest.items()},
    )


def _counted(since: dict[Any, tuple[str, float, str]]) -> tuple[dict[str, int], dict[str, dict[str, int]], int]:
    """Sockets by state, by endpoint and state, and of further endpoints, those with the fewest."""
    states: Counter[str] = Counter()
    remotes: dict[str, dict[str, int]] = {}
    elsewhere = 0
    for (state, name), count in Counter([(state, name) for state, _, name in since.values()]).most_common():
        states[state] += count
        if name in remotes or len(remotes) < ENDPOINTS:
            remotes.setdefault(name, {})[state] = count
        else:
            elsewhere += count
    return dict(states), remotes, elsewhere


def _sum(numbers: Iterator[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
