"""A watch as it can be drawn: how many sockets were in which state, and the lives of single ones. Bounded, however
long the watch is. Pure."""

from __future__ import annotations

import copy
import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from hermes_diag.core.peaks import Peaks, Stretch
from hermes_diag.core.sockets import CLOSE_WAIT
from hermes_diag.watch.records import Tick

#: Lives of sockets that are gone of which the longest are kept, and changes of state that are kept of one socket.
ENDED, CHANGES = 200, 20


@dataclass(frozen=True)
class Life:
    """One socket. changes: (seconds since the watch began, state from then on). end: when it was seen to be gone."""

    endpoint: str
    port: int
    changes: tuple[tuple[float, str], ...]
    end: float | None
    born: bool  # it came during the watch

    @property
    def begin(self) -> float:
        return self.changes[0][0]

    @property
    def state(self) -> str:
        """The last one."""
        return self.changes[-1][1]


@dataclass(frozen=True)
class Picture:
    """What was seen until now. states: by state its stretches of time, those of all states alike; together: samples
    of one stretch. left_out: sockets of which single lives are not known, or not kept any more."""

    seconds: float
    states: dict[str, tuple[Stretch, ...]]
    together: int
    lives: tuple[Life, ...]
    left_out: int


@dataclass
class _Open:
    endpoint: str
    port: int
    born: bool
    changes: list[tuple[float, str]] = field(default_factory=list)


class Drawing:
    """Takes the samples of a watch as they come."""

    def __init__(self, most: int = 600) -> None:
        """most: stretches of time that are kept apart."""
        self._states: dict[str, Peaks] = {}
        self._zeros = Peaks(most)  # the history of a state that was not seen before
        self._alive: dict[int, _Open] = {}
        self._ended: list[tuple[float, int, Life]] = []  # a heap: the shortest life first
        self._sockets = 0  # seen so far
        self._seconds = 0.0
        self._first = True

    def add(self, tick: Tick) -> None:
        """Take one sample."""
        self._seconds = tick.at
        for state in tick.states:
            if state not in self._states and state != "LISTEN":
                self._states[state] = copy.deepcopy(self._zeros)
        for state, peaks in self._states.items():
            peaks.add(tick.at, tick.states.get(state, 0))
        self._zeros.add(tick.at, 0)
        come = sum(tick.states.values()) - tick.states.get("LISTEN", 0) if self._first else sum(tick.opened.values())
        self._sockets += come
        for serial, state, endpoint, port in tick.moved:
            if state:
                one = self._alive.setdefault(serial, _Open(endpoint, port, not self._first))
                if len(one.changes) < CHANGES:
                    one.changes.append((tick.at, state))
            elif gone := self._alive.pop(serial, None):
                self._keep(serial, _life(gone, tick.at))
        self._first = False

    def _keep(self, serial: int, life: Life) -> None:
        keep = heapq.heappushpop if len(self._ended) >= ENDED else heapq.heappush
        keep(self._ended, ((life.end or 0.0) - life.begin, serial, life))

    def picture(self) -> Picture:
        """What there is to draw."""
        lives = (*(life for _, _, life in self._ended), *(_life(one, None) for one in self._alive.values()))
        return Picture(
            self._seconds,
            {state: tuple(peaks) for state, peaks in self._states.items()},
            self._zeros.together,
            tuple(sorted(lives, key=lambda life: (life.begin, life.endpoint, life.port))),
            max(0, self._sockets - len(lives)),
        )


def _life(one: _Open, end: float | None) -> Life:
    return Life(one.endpoint, one.port, tuple(one.changes), end, one.born)


def chosen(lives: Iterable[Life], seconds: float, most: int) -> list[Life]:
    """Those that are drawn: in CLOSE_WAIT until the end first, then those that are still there, then the longest."""

    def rank(life: Life) -> tuple[bool, bool, float]:
        end = seconds if life.end is None else life.end
        return (life.end is not None or life.state != CLOSE_WAIT, life.end is not None, life.begin - end)

    return sorted(sorted(lives, key=rank)[:most], key=lambda life: (life.begin, life.endpoint, life.port))
