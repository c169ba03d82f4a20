"""How a number went: a robust slope with an interval, and a word. Pure.

The slope is Theil and Sen's: the median of the slopes of all pairs of points, which a burst does not
move. Its interval is Sen's (by Kendall's variance), made wider where neighbours resemble each other:
when a load changes slowly, neighbouring samples repeat each other, and say less than as many independent ones.
A leak that happens at random moments drifts away from its line for good, which the scatter about the line does not
show: so the interval is never narrower than the random error of a count (its square root).

A slope alone does not make a leak. A leak raises the *base*: the value to which a number returns between bursts.

A watch that finds nothing still cannot see everything: an hour shows nothing of a leak that adds one socket every two
hours. `at_most` is the fastest growth that could have gone unnoticed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hermes_diag.core import units
from hermes_diag.watch.records import Course

STEADY, GROWING, BURSTY, TOO_SHORT, UNKNOWN = "steady", "growing", "bursty", "too short", "unknown"

#: Samples below which growth cannot be told from chance.
ENOUGH = 10
#: Points that a series keeps; the pairs of so many are searched in some milliseconds.
KEPT = 160
#: Parts of a watch in each of which the base must have risen.
PARTS = 4
#: Part of the range by which the base may be higher in the end, and the number be called back at it.
RETURNED = 1 / 8
_Z = 1.96  # 19 times in 20
_CHANCE = 0.05


@dataclass
class Point:
    """Some samples in one: the last value, and the range between the one before and it."""

    at: float
    last: int
    low: int
    high: int


@dataclass(frozen=True)
class Slope:
    """Per second, and the interval that holds the true slope 19 times in 20."""

    value: float
    low: float
    high: float


class Series:
    """One number over time in bounded memory: neighbours are merged when there are too many."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.samples = 0
        self.first: tuple[float, int] | None = None
        self._stride = self._pending = 1

    def add(self, at: float, value: int) -> None:
        self.samples += 1
        self.first = self.first or (at, value)
        if self._pending < self._stride:
            point = self.points[-1]
            point.at, point.last = at, value
            point.low, point.high = min(point.low, value), max(point.high, value)
            self._pending += 1
        else:
            self.points.append(Point(at, value, value, value))
            self._pending = 1
        if len(self.points) > KEPT and self._pending == self._stride:
            self._halve()

    def copy(self) -> Series:
        """Another with the same points."""
        other = Series()
        other.points = [replace(point) for point in self.points]
        other.samples, other.first = self.samples, self.first
        other._stride, other._pending = self._stride, self._pending
        return other

    def _halve(self) -> None:
        old = self.points if len(self.points) % 2 == 0 else [*self.points, self.points[-1]]
        self.points = [
            Point(b.at, b.last, min(a.low, b.low), max(a.high, b.high))
            for a, b in zip(old[::2], old[1::2], strict=True)
        ]
        self._stride = self._pending = self._stride * 2


def theil_sen(points: Sequence[tuple[float, float]]) -> Slope:
    """The slope through at least two points of different times."""
    slopes = sorted((y2 - y1) / (t2 - t1) for i, (t1, y1) in enumerate(points) for t2, y2 in points[i + 1 :] if t2 > t1)
    count, n = len(slopes), len(points)
    value = (slopes[(count - 1) // 2] + slopes[count // 2]) / 2
    spread = _Z * math.sqrt(n * (n - 1) * (2 * n + 5) / 18 * _inflation(points, value))
    low = max(0, math.floor((count - spread) / 2))
    high = min(count - 1, math.ceil((count + spread) / 2))
    return Slope(value, slopes[low], slopes[high])


def _inflation(points: Sequence[tuple[float, float]], slope: float) -> float:
    """How many samples one independent sample is worth, from the lag-1 correlation of the residuals."""
    rest = [y - slope * t for t, y in points]
    middle = sum(rest) / len(rest)
    variance = sum((r - middle) ** 2 for r in rest)
    if not variance:
        return 1.0
    shared = sum((a - middle) * (b - middle) for a, b in itertools.pairwise(rest)) / variance
    shared = min(max(shared, 0.0), 0.9)
    return (1 + shared) / (1 - shared)


def judge(name: str, series: Series) -> Course:
    """A word for a series, with its numbers."""
    points = series.points
    if not points or series.first is None:
        return Course(name, UNKNOWN, "could not be seen")
    low, high = min(p.low for p in points), max(p.high for p in points)
    (begun, first), last = series.first, points[-1].last
    seconds = points[-1].at - begun
    over = f"in {units.count(series.samples, 'sample')} over {units.duration(seconds)}"
    seen = f"{first:,}" if low == high else f"{low:,} to {high:,}"
    if series.samples < ENOUGH or seconds <= 0:
        tells = ENOUGH * seconds / (series.samples - 1) if seconds > 0 else None
        text = f"{seen} {over}: at least {ENOUGH} samples are needed"
        return Course(name, TOO_SHORT, text, first, last, low, high, tells=tells)
    found = theil_sen([(p.at, p.last) for p in points])
    bases = [min(p.low for p in part) for part in _parts(points)]
    rises = all(a < b for a, b in itertools.pairwise(bases))
    span = seconds * (PARTS - 1) / PARTS  # from the middle of the first part to that of the last one
    wide = _counted(found, span)
    growing = found.low > 0 and rises
    pace = max(0.0, found.value if growing else (bases[-1] - bases[0]) / span)
    at_most = wide.high if growing else max(wide.high, _most(pace * span) / span)
    known = Course(
        name, UNKNOWN, "", first, last, low, high, wide.value * 3600, wide.low * 3600, wide.high * 3600,
        at_most * 3600, pace * 3600, seconds, seconds / (series.samples - 1), max(0, bases[-1] - bases[0], last - first)
    )  # fmt: skip
    if growing:
        rate = f"{units.rate(wide.value * 3600)} ({units.rate(wide.low * 3600)} to {units.rate(wide.high * 3600)})"
        return replace(known, word=GROWING, text=f"by {rate}, from {first:,} to {last:,} {over}")
    leans = found.low > 0 or rises or _fallen(points) < last - first
    if not leans and high - low <= max(2, high // 10):
        return replace(known, word=STEADY, text=f"at {seen} {over}")
    if not leans and bases[-1] <= bases[0] + (high - low) * RETURNED:
        back = f"between {low:,} and {high:,}, and back to {bases[-1]:,} from a base of {bases[0]:,}"
        return replace(known, word=BURSTY, text=f"{back} {over}")
    if still_for := quiet(series):
        still = f"rose from {first:,} to {last:,} and has kept still for {units.duration(still_for)}"
        return replace(known, word=STEADY, text=still)
    text = f"{seen} {over}: higher than at first, but not steadily; watch for {units.at_least(2 * seconds)} at least"
    return replace(known, word=TOO_SHORT, text=text, tells=2 * seconds)


def _counted(found: Slope, span: float) -> Slope:
    """A slope whose interval is no narrower than that of a Poisson count of as many rises in `span` seconds."""
    least, most = counted(max(0.0, found.value) * span)
    return Slope(found.value, min(found.low, least / span), max(found.high, most / span))


def counted(count: float) -> tuple[float, float]:
    """How many were to be expected at least and at most where so many were seen, 19 times in 20 (Poisson; of none 0
    to 3)."""
    return max(0.0, count + _Z**2 / 2 - _Z * math.sqrt(count + _Z**2 / 4)), _most(count)


def _most(count: float) -> float:
    return count + 1 + _Z * math.sqrt(count + 1)


def seconds_to_notice(limit: float, pace: float = 0.0) -> float | None:
    """How long a watch must be until growth of `limit` (above 0) can be told from the pace seen; both per hour.

    None where no watch is: the pace is not below the limit.
    """
    if pace >= limit:
        return None
    # The smallest x in hours for which _most(pace * x) = limit * x: a quadratic equation.
    apart = limit - pace
    half = apart + _Z**2 * pace / 2
    hours = (half + math.sqrt(half**2 + apart**2 * (_Z**2 - 1))) / apart**2
    return hours * 3600 * PARTS / (PARTS - 1)


def _fallen(points: list[Point]) -> int:
    """By how much a series fell, all falls together: little where it only climbs."""
    return sum(max(0, a.last - b.low) for a, b in itertools.pairwise(points))


def quiet(series: Series) -> float:
    """Seconds for which a number that rose has kept still, if that is the end of the rise; else 0.

    A pool that warms up rises and then stays as it is; a slow leak may pause as long between two rises. So the
    pause must be the longer part, and after several rises longer than pauses between them are by chance.
    """
    points, begun = series.points, series.first[0] if series.first else 0.0
    slack = 1 if _fallen(points) else 0
    start, low, high = len(points) - 1, points[-1].low, points[-1].high
    for i in range(len(points) - 1, -1, -1):
        low, high = min(low, points[i].low), max(high, points[i].high)
        if high - low > slack:
            break
        start = i
    rest = points[start:]
    if _fallen(rest) < rest[-1].last - rest[0].low:  # one step up and none down is not noise
        return 0.0
    seconds, whole = points[-1].at - rest[0].at, points[-1].at - begun
    settled = min(p.low for p in rest)
    base = list(itertools.accumulate((min(p.low, settled) for p in reversed(points[: start + 1])), min))
    rises = len(set(base)) - 1
    moved = 1 - seconds / whole
    return seconds if moved < 0.5 and (rises <= 1 or moved**rises < _CHANCE) else 0.0


def _parts(points: list[Point]) -> list[list[Point]]:
    size = len(points) / PARTS
    return [points[round(i * size) : round((i + 1) * size)] for i in range(PARTS)]
