"""Many processes watched at once, for hours: each looked at when it is due, its growth judged over the last hours.

A watch that has no end would judge growth by its whole past, and a leak that has just begun would drown in it. So each
process is followed by two watches that begin at different times, and the older one is asked; when it is as old as
`LONG`, the younger one takes its place.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from hermes_diag.core.errors import HermesDiagError
from hermes_diag.core.sockets import CLOSE_WAIT
from hermes_diag.watch import process
from hermes_diag.watch.explain import is_unread
from hermes_diag.watch.host import Host
from hermes_diag.watch.observer import Observer
from hermes_diag.watch.records import Ended, Look, Summary, Tick, Watched
from hermes_diag.watch.still import Still
from hermes_diag.watch.timeline import Timeline
from hermes_diag.watch.tracker import Tracker
from hermes_diag.watch.watch import following

#: Seconds that the older of two watches lasts; it is half as old when it becomes the older one.
LONG = 6 * 3600.0
#: An end that is none: the watch goes on.
_SO_FAR = Ended("done")


@dataclass(frozen=True)
class Found:
    """A process to watch. name: how it is told from others of the fleet, the same after a restart."""

    name: str
    pid: int


class _Watch:
    """One watch of a process, without an end."""

    def __init__(self, eye: Observer, look: Look, interval: float, begun: float) -> None:
        self._tracker = Tracker()
        first = look.processes[0]
        self.begun = begun  # of time.monotonic: the clock of the wall may be set
        self.timeline = Timeline(
            Watched(eye.pid, first.name, first.started, look.at, interval, look.backend, look.why, missing=look.missing)
        )

    def add(self, look: Look, at: float, late: float, still: float) -> Tick:
        """at: of time.monotonic, at the first sample when the watch began: what is there then was there before."""
        tick = self._tracker.tick(look, at - self.begun, late, still)
        self.timeline.add(tick)
        return tick


#: The lines of a program by how many sockets they have opened that are there, where a recorder tells it.
Places = Callable[[Look], dict[str, int]]


@dataclass
class Target:
    """A process of the fleet, as it was at the last sample. errors: samples that could not be taken."""

    found: Found
    interval: float
    ask: Places
    host: Host
    up: bool = False
    why: str = ""
    samples: int = 0
    errors: int = 0
    late: float = 0.0
    look: Look | None = None
    tick: Tick | None = None
    summary: Summary | None = None  # what the older watch says of the last hours
    places: dict[str, int] = field(default_factory=dict)
    _eye: Observer | None = None
    _watches: list[_Watch] = field(default_factory=list)
    _still: Still = field(default_factory=Still)

    def sample(self, late: float = 0.0) -> None:
        """Look now. What cannot be looked at is down, and why is said."""
        try:
            self._sample(late)
        except (HermesDiagError, OSError) as exc:
            self.why = exc.message if isinstance(exc, HermesDiagError) else (exc.strerror or type(exc).__name__)
            self.errors += self.up or not isinstance(exc, process.Ended)
            self.up, self._eye, self.look, self.tick, self.summary = False, None, None, None, None
            self._watches.clear()
            self.places = {}

    def _sample(self, late: float) -> None:
        if self._eye is None:
            self._eye = Observer(self.found.pid, host=self.host)
        begins = not self._watches or time.monotonic() - self._watches[-1].begun > LONG / 2
        look = self._eye.look(info=begins)  # a watch begins with the ages that the kernel knows
        if not self._eye.is_same():
            raise process.Ended(f"process {self.found.pid} has ended, and its PID belongs to another process now")
        at = time.monotonic()
        if begins:
            self._watches = [*self._watches[-1:], _Watch(self._eye, look, self.interval, at)]
        still = self._still.since(at - late, look)
        ticks = [one.add(look, at, late, still) for one in self._watches]
        # Judged here, in the thread that samples: who reads the numbers meanwhile finds them whole.
        self.summary = self._watches[0].timeline.summary(_SO_FAR)
        self.places = self.ask(look)
        self.up, self.why, self.look, self.tick, self.late = True, "", look, ticks[0], late
        self.samples += 1

    def unread(self) -> int:
        """Bytes that wait to be read, of all sockets but those that listen."""
        return (
            sum(row.recv_q or 0 for row in self.look.rows if is_unread(row.state, row.recv_q or 0)) if self.look else 0
        )

    def oldest(self) -> float:
        """Seconds that the oldest CLOSE_WAIT socket is in that state at least."""
        return self.tick.oldest.get(CLOSE_WAIT, 0.0) if self.tick else 0.0


class Fleet:
    """Targets that come and go. discover: says which processes there are now. places: asks a recorder."""

    def __init__(
        self, discover: Callable[[], Iterable[Found]], interval: float, places: Places = lambda look: {}
    ) -> None:
        self._discover, self._interval, self._places = discover, interval, places
        self._host = Host()
        self.targets: dict[str, Target] = {}

    def sample(self, late: float = 0.0) -> None:
        """Look at each process once. A name whose process has gone stays for one sample more, and is down in it."""
        found = {one.name: one for one in self._discover()}
        targets = {name: one for name, one in self.targets.items() if one.up or name in found}
        for name, one in found.items():
            if name not in targets or targets[name].found != one:
                targets[name] = Target(one, self._interval, self._places, self._host)
        for target in targets.values():
            target.sample(late)
        self._host.renew()
        self.targets = targets  # another one, since a scrape may be passing the old one

    def run(self, stopped: Callable[[float], bool], done: Callable[[], None] = lambda: None) -> None:
        """Sample at absolute times until `stopped(seconds)`, which waits so long, says so. done: after each round."""
        due = time.monotonic()
        while True:
            self.sample(max(0.0, time.monotonic() - due))
            done()
            due = following(due, self._interval)
            if stopped(max(0.0, due - time.monotonic())):
                return


def largest(counts: Mapping[str, int], most: int) -> dict[str, int]:
    """The most frequent ones, and what is left as "other"."""
    found = dict(Counter(counts).most_common(most))
    rest = sum(counts.values()) - sum(found.values())
    return {**found, **({"other": rest} if rest else {})}


def by_remote(tick: Tick, most: int) -> dict[tuple[str, str], int]:
    """(state, endpoint) -> sockets; of more endpoints than `most` those with the fewest sockets are one: "other"."""
    shown = sorted(tick.remotes, key=lambda name: (-sum(tick.remotes[name].values()), name))[:most]
    found: Counter[tuple[str, str]] = Counter()
    for name, states in tick.remotes.items():
        for state, count in states.items():
            found[state, name if name in shown else "other"] += count
    counted = Counter[str]()
    for (state, _), count in found.items():
        counted[state] += count
    for state, count in tick.states.items():  # a sample names the largest endpoints only
        if count > counted[state]:
            found[state, "other"] += count - counted[state]
    return dict(found)
