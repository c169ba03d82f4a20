"""Compares each look of a watch with the one before: what was opened, what is gone and how old the rest is at least."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from hermes_diag.core.sockets import CLOSE_WAIT, ESTABLISHED, SocketRow
from hermes_diag.watch import backlog, explain, filters, ports, shared
from hermes_diag.watch.follow import Belongings, Groups, Names, News
from hermes_diag.watch.records import Look, Moved, Queue, Tick

SOCKETS, UNOWNED, CLOSED = "sockets", "ESTABLISHED without owner", "CLOSE (fd only)"

#: Endpoints of which a sample tells the sockets; the rest, the least frequent ones, is left out.
ENDPOINTS = 50
#: Seconds after which unread data that nobody has touched is told, in a watch that is as long.
UNTOUCHED = 10.0


@dataclass
class _Socket:
    """A socket that is followed: its state and since when, its endpoint; when it was first seen, and in this state."""

    state: str
    begun: float
    name: str
    opened: float
    entered: float
    groups: Groups
    unread: int = 0  # bytes, and since when so many
    unread_since: float = 0.0
    serial: int = 0  # of one whose moves are told


class Tracker:
    """Remembers only what is alive. children: of several processes. told: sockets at a time whose moves are told one by
    one, for a picture."""

    def __init__(self, children: bool = False, told: int = 0) -> None:
        self._told = told
        self._telling = 0  # how many are told now
        self._serials = itertools.count(1)
        self._moved: list[Moved] = []  # since the last look
        self._sockets: dict[Any, _Socket] = {}
        self._names = Names()
        self._reset: dict[int, _Socket] = {}  # by inode: those that have become a descriptor only
        self._closed: dict[tuple[int, int, int | None], float] = {}  # (pid, fd, inode) -> since
        self._lost: dict[Any, float] = {}  # ESTABLISHED without an owner -> since
        self._belongings = Belongings(children)
        self._versions: tuple[tuple[int, int], ...] = ()  # of the descriptors, as of which so many are shared
        self._shared = 0
        self._known = False
        self._rows: tuple[SocketRow, ...] | None = None  # of the last look
        self._full: Queue | None = None  # of the last look
        self._unowned: tuple[SocketRow, ...] = ()  # of the last look, and how many in which state
        self._unowned_states: dict[str, int] = {}

    def tick(self, look: Look, at: float, late: float, still: float = 0.0) -> Tick:
        """One look as a sample of a watch. at: seconds since the watch began. still: seconds since the last look in
        which the process, or we, stood still: nobody could have read anything."""
        news = News(round(at, 6))
        self._stand(still)
        self._moved = []
        if look.unowned is not self._unowned:  # the same tuple: nothing has changed
            self._unowned, self._unowned_states = look.unowned, dict(Counter(row.state for row in look.unowned))
            self._follow_unowned(news)
        opened, gone, entered = Counter[str](), Counter[str](), Counter[str]()
        if look.rows is not self._rows:
            self._rows = look.rows
            opened, gone, entered = self._compare(look, at, news)
        self._follow_closed(look, news)
        if look.held is not None:
            self._belongings.compare(look.held, news)
        tick = _tick(look, at, late, self._sockets.values())
        return replace(
            tick,
            unowned=self._unowned_states,
            opened=dict(opened),
            gone=dict(gone),
            entered=dict(entered),
            oldest={**tick.oldest, **self._oldest_closed(at)},
            lives=news.lives(),
            ports=ports.busiest(look),
            queue=self._queue(look, at),
            shared=self._count_shared(look),
            moved=tuple(self._moved),
            still=still,
        )

    def _stand(self, seconds: float) -> None:
        """What waits to be read or accepted has waited so much less."""
        if seconds:
            for one in self._sockets.values():
                one.unread_since += seconds
            if self._full is not None:
                self._full = replace(self._full, since=self._full.since + seconds)

    def _queue(self, look: Look, at: float) -> Queue | None:
        """The full queue of a listener, with the time since when it is."""
        found, before = backlog.fullest(look), self._full
        if found is not None:
            known = before is not None and before.endpoint == found.endpoint
            found = replace(found, since=before.since if before is not None and known else round(at, 6))
        self._full = found
        return found

    def _compare(self, look: Look, at: float, news: News) -> tuple[Counter[str], Counter[str], Counter[str]]:
        """Sockets that came and went by endpoint, and those that came into a state; keeps the new table."""
        old, new = self._sockets, {}
        opened, entered = Counter[str](), Counter[str]()
        for row in look.rows:
            key = row[5] or row[1:5]
            one = old.pop(key, None)
            if one is None:
                one = new[key] = self._first_seen(row, filters.of(row, look.listening), at, news)
                opened[one.name] += 1
                entered[one.state] += 1
            else:
                new[key] = one
                if one.state != row[0]:
                    news.died((one.state,), one.entered)
                    news.born((row[0],))
                    one.state, one.entered, one.begun = row[0], news.at, at - _known_age(row)
                    if one.serial:
                        self._moved.append(Moved(one.serial, one.state))
                    entered[one.state] += 1
            if row[6] and row[6] != one.unread:
                one.unread_since = at
            one.unread = row[6] or 0
        gone = Counter(one.name for one in old.values())
        self._leave(look, news)
        if not self._known:
            opened.clear()  # nobody saw the first ones come
            entered.clear()
            self._known = True
        self._sockets = new
        return opened, gone, entered

    def _first_seen(self, row: SocketRow, name: str, at: float, news: News) -> _Socket:
        groups = () if row[0] == "LISTEN" else (SOCKETS, self._names.take("to", name))
        news.born((row[0], *groups))
        one = _Socket(row[0], at - _known_age(row), name, news.at, news.at, groups)
        if groups and self._telling < self._told:
            self._telling += 1
            one.serial = next(self._serials)
            port = row.local[1] if name == filters.text(row.remote) else row.remote[1]
            self._moved.append(Moved(one.serial, one.state, name, port))
        return one

    def _leave(self, look: Look, news: News) -> None:
        """Those that are in the table no more. One that was reset goes on as a descriptor."""
        closed = {inode for _, _, inode in look.closed or ()}
        for key, one in self._sockets.items():
            news.died((one.state,), one.entered)
            if key in closed:
                self._reset[key] = one
                if one.serial:
                    self._moved.append(Moved(one.serial, CLOSED))
            else:
                self._let_go(one, news)

    def _let_go(self, one: _Socket, news: News) -> None:
        self._names.leave(one.groups)
        news.died(one.groups, one.opened)
        if one.serial:
            self._telling -= 1
            self._moved.append(Moved(one.serial, ""))

    def _follow_closed(self, look: Look, news: News) -> None:
        now = look.closed or ()
        if not now and not self._closed:
            return
        inodes = {inode for _, _, inode in now}
        for inode in [inode for inode in self._reset if inode not in inodes]:
            self._let_go(self._reset.pop(inode), news)
        for key in self._closed.keys() - set(now):
            news.died((CLOSED,), self._closed.pop(key))
        for key in now:
            if key not in self._closed:
                self._closed[key] = news.at
                news.born((CLOSED,))

    def _follow_unowned(self, news: News) -> None:
        lost = {row.inode or row[1:3] for row in self._unowned if row.state == ESTABLISHED}
        for key in self._lost.keys() - lost:
            news.died((UNOWNED,), self._lost.pop(key))
        for key in lost - self._lost.keys():
            self._lost[key] = news.at
            news.born((UNOWNED,))

    def _count_shared(self, look: Look) -> int:
        versions = tuple((one.pid, one.version) for one in look.held or ())
        if versions != self._versions:
            self._versions, self._shared = versions, len(shared.connections(look))
        return self._shared

    def _oldest_closed(self, at: float) -> dict[str, float]:
        """How long the oldest socket that is only a descriptor has been one at least."""
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


def _tick(look: Look, at: float, late: float, sockets: Any) -> Tick:
    states, remotes, elsewhere = _counted(sockets)
    oldest: dict[str, float] = {}
    unread, untouched = Counter[str](), Counter[str]()
    for one in sockets:
        if one.begun < oldest.get(one.state, at + 1):
            oldest[one.state] = one.begun
        if one.unread and explain.is_unread(one.state, one.unread):
            unread[one.state] += 1
            untouched[one.state] += at > 0 and at - one.unread_since >= min(UNTOUCHED, at)
    parts = [
        (one.fds / one.soft_limit, one.soft_limit) for one in look.processes if one.fds is not None and one.soft_limit
    ]
    used, limit = max(parts, default=(None, None))
    return Tick(
        at=round(at, 6),
        late=round(late, 6),
        states=states,
        unowned={},
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
        oldest={state: round(at - begun, 3) for state, begun in oldest.items()},
        unread=dict(unread),
        untouched=dict(+untouched),
    )


def _counted(sockets: Any) -> tuple[dict[str, int], dict[str, dict[str, int]], int]:
    """Sockets by state, by endpoint and state, and of further endpoints, those with the fewest."""
    states: Counter[str] = Counter()
    remotes: dict[str, dict[str, int]] = {}
    elsewhere = 0
    for (state, name), count in Counter([(one.state, one.name) for one in sockets]).most_common():
        states[state] += count
        if name in remotes or len(remotes) < ENDPOINTS:
            remotes.setdefault(name, {})[state] = count
        else:
            elsewhere += count
    return dict(states), remotes, elsewhere


def _sum(numbers: Iterator[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
