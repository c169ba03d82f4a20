"""Which of the things that came during a watch stay: a leak is made of things that come again and again and never go.

A number says little: it rises with the load, too. So each thing (a socket, a descriptor, a thread) is followed from the
sample that first saw it to the one that missed it. Three questions tell a leak:

- Do things that came in this watch stay, long after others have gone? Those older than a part of the watch are looked
  at, for several parts, since nobody knows beforehand how long a healthy one lives.
- Did they come all through the watch, and do they still come? A pool that warms up, a larger load and a leak that has
  stopped leave things behind, too, but they came together, or come no more.
- Do hardly any of that age go? A set that is replaced bit by bit has as many that go as come.

Memory is bounded: times are told in cells, which double in length when there are too many.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from hermes_diag.watch.records import Lived

#: Cells at most; a watch that goes on has at least half as many.
KEPT = 128
#: Parts of a watch: what is older than one of them is old.
OLD = (1 / 16, 1 / 8, 1 / 4, 3 / 8)
#: Further ages at which is asked whether things still come.
_YOUNG = (0.0, 1 / 32)

#: A leak: those that stay came over such a part of the watch at least.
_SPREAD = 0.3
#: So many stay at least, which came at so many different times; and so few of that age go, for each that stays.
_LEAK = (5, 5, 0.25)
#: The same of a part of a whole that is no leak: there are many parts, and one of them looks like a leak by chance.
_PART = (8, 7, 0.1)
#: The pause after the last that came, and the slowing down, are no rarer than this by chance.
_PAUSE, _SLOWER = 0.04, -1.3
#: That fewer and fewer come is no rarer than this: looser, since they may come in clumps.
_FEWER = -2.5
#: The longest pause, as a part of the time since the first one.
_GAP = 0.4
#: The same of what may be a leak: it is too short to tell.
_MAY_STAY, _MAY_TIMES, _MAY_SPREAD, _MAY_GO, _MAY_PAUSE = 3, 3, 0.25, 1.0, 0.01
#: Times are told apart in so many parts of the watch: what comes within one of them has come together.
_APART = 48


@dataclass(frozen=True)
class Stay:
    """Those of an age that came in the watch and stay. Times in cells."""

    age: int  # all are older
    span: int  # the time in which they can have come
    came: tuple[tuple[int, int], ...]  # (when, how many came then), the earliest first
    gone: int  # how many went at that age

    @property
    def count(self) -> int:
        """How many stay."""
        return sum(count for _, count in self.came)


class Lives:
    """How many came in each cell, are there still, and went when."""

    def __init__(self, width: float) -> None:
        self.width = width  # seconds of a cell
        self._slack = width / 4  # a sample may be late
        self.alive: Counter[int] = Counter()  # cell in which they came -> those that are there
        self.died: Counter[tuple[int, int]] = Counter()  # (cell in which they came, in which they went)
        self.end = 0  # the latest cell

    def advance(self, at: float) -> None:
        """The watch has gone on until then."""
        self.end = self._cell(at)
        while self.end > KEPT:
            self._halve()
            self.end = self._cell(at)

    def add(self, at: float, seen: Lived) -> None:
        """What came and went between the sample before and the one of this time."""
        self.advance(at)
        for came, count in seen.died:
            cell = self._cell(came)
            self.alive[cell] -= count
            self.died[cell, self.end] += count
        if seen.born:
            self.alive[self.end] += seen.born

    @property
    def count(self) -> int:
        return self.alive.total()

    def stay(self, part: float) -> Stay:
        """Those older than a part of the watch. What was there before the watch is in none of them."""
        age = max(2, round((self.end + 1) * part))
        span = self.end - age
        came = sorted((cell, count) for cell, count in self.alive.items() if 0 < cell <= span and count > 0)
        gone = sum(count for (born, died), count in self.died.items() if died > born + age)
        return Stay(age, max(0, span), tuple(came), gone)

    def _cell(self, at: float) -> int:
        """0 is the first sample: what it sees was there before."""
        return max(1, math.ceil((at - self._slack) / self.width)) if at > 0 else 0

    def _halve(self) -> None:
        self.width *= 2
        alive, died = Counter[int](), Counter[tuple[int, int]]()
        for cell, count in self.alive.items():
            alive[(cell + 1) // 2] += count
        for (born, gone), count in self.died.items():
            died[(born + 1) // 2, (gone + 1) // 2] += count
        self.alive, self.died = alive, died


@dataclass(frozen=True)
class Judged:
    """What was found of lives: those that stay and are a leak, or may be one; else neither."""

    leak: Stay | None
    doubt: Stay | None
    goes_on: float  # how probable the pause at the end is if they still come
    quietest: Stay  # of all ages looked at the one that says most of how slow a leak would have to be


def judge(lives: Lives, whole: Judged | None = None) -> Judged:
    """Whether there is a leak among those that stay.

    whole: what was found of a set that holds these. Where nothing comes to the whole any more, nothing comes to its
    parts; what comes to a part then has only changed its state.
    """
    least = _LEAK if whole is None or whole.leak else _PART
    stays = [lives.stay(part) for part in (*_YOUNG, *OLD)]
    old = stays[len(_YOUNG) :]
    leak = doubt = None
    most, goes_on = (whole.goes_on if whole else 1.0), 0.0
    for i, one in enumerate(old, start=len(_YOUNG)):
        if one.count > 1:
            chance = min(_pause(younger, _times(one)[0] * one.span) for younger in stays[: i + 1])
            goes_on, chance = max(goes_on, chance), min(chance, most)
            leak = leak or (one if chance >= _PAUSE and _is_leak(one, lives.end, least) else None)
            doubt = one if chance >= _MAY_PAUSE and _may_be_leak(one, lives.end) else doubt
    return Judged(leak, None if leak else doubt, goes_on, min(old, key=lambda one: (one.count + 3) / max(1, one.span)))


def of_parts(whole: Judged, parts: Iterable[Lives]) -> Judged:
    """A whole that is no leak as one, with the largest leak of its parts if one of them is one."""
    if whole.leak:
        return whole
    found = [judge(part, whole).leak for part in parts if part.count >= _PART[0]]
    leak = max((one for one in found if one), key=lambda one: one.count, default=None)
    return replace(whole, leak=leak, doubt=None if leak else whole.doubt)


def _is_leak(stay: Stay, whole: int, least: tuple[int, int, float]) -> bool:
    times, count = _times(stay), stay.count
    if count < least[0] or len(times) < least[1] or stay.gone > least[2] * count:
        return False
    first, rest = times[0], 1 - times[0]
    if (times[-1] - first) * stay.span < _SPREAD * whole or rest <= 0:
        return False
    later = sum((time - first) / rest for time in times) / len(times)
    each = sum(many * (cell / stay.span - first) / rest for cell, many in stay.came) / count
    if (later - 0.5) * math.sqrt(12 * len(times)) < _SLOWER or (each - 0.5) * math.sqrt(12 * count) < _FEWER:
        return False  # they come more and more slowly
    return max(b - a for a, b in zip(times, [*times[1:], 1.0], strict=True)) <= _GAP * rest


def _may_be_leak(stay: Stay, whole: int) -> bool:
    times = _times(stay)
    enough = stay.count >= _MAY_STAY and len(times) >= _MAY_TIMES and stay.gone <= _MAY_GO * stay.count
    return enough and (times[-1] - times[0]) * stay.span >= _MAY_SPREAD * whole


def _times(stay: Stay) -> list[float]:
    """When they came, as parts of the time in which they can have come; each time once."""
    size = max(1.0, stay.span / _APART)
    return [min(1.0, (cell + 0.5) * size / stay.span) for cell in sorted({int(born / size) for born, _ in stay.came})]


def _pause(stay: Stay, begun: float) -> float:
    """How probable the pause since the last one is if they come at random from then on.

    Asked of younger ones, too: those that are older than a quarter of the watch say nothing of its last quarter.
    """
    size = max(1.0, stay.span / _APART)
    times = sorted({int(born / size) for born, _ in stay.came if born >= begun - size})
    if stay.count < 2 or not times:
        return 0.0
    # So many moments after the first, of which some are taken: that the last of them are free is a matter of drawing
    # the taken ones from the others.
    moments, others, taken = int(stay.span / size) - times[0], times[-1] - times[0], len(times) - 1
    return math.prod(max(0, others - i) / max(1, moments - i) for i in range(max(1, taken)))
