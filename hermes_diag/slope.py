"""How a number went: a robust slope with an interval, and a word. Pure.

The slope is Theil and Sen's: the median of the slopes of all pairs of points, which a burst does not
move. Its interval is Sen's (by Kendall's variance), made wider where neighbours resemble each other:
samples of a slowly wandering load are worth fewer than they are.

A word needs more than a slope. A leak lifts the *base*: what a number falls back to between bursts.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from hermes_diag import units
from hermes_diag.looks import Course

STEADY, GROWING, BURSTY, TOO_SHORT, UNKNOWN = "steady", "growing", "bursty", "too short", "unknown"

#: Samples below which growth cannot be told from chance.
ENOUGH = 10
#: Points that a series keeps; the pairs of so many are searched in some milliseconds.
KEPT = 160
#: Parts of a watch in each of which the base must have risen.
PARTS = 4
_Z = 1.96  # 19 times in 20


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
    over = f"in {series.samples} samples over {units.duration(seconds)}"
    seen = f"{first:,}" if low == high else f"{low:,} to {high:,}"
    if series.samples < ENOUGH or seconds <= 0:
        return Course(name, TOO_SHORT, f"{seen} {over}: {ENOUGH} samples are the least", first, last, low, high)
    found = theil_sen([(p.at, p.last) for p in points])
    numbers = (first, last, low, high, found.value * 3600, found.low * 3600, found.high * 3600)
    bases = [min(p.low for p in part) for part in _parts(points)]
    rises = all(a < b for a, b in itertools.pairwise(bases))
    if found.low > 0 and rises:
        rate = f"{units.rate(found.value * 3600)} ({units.rate(found.low * 3600)} to {units.rate(found.high * 3600)})"
        return Course(name, GROWING, f"by {rate}, from {first:,} to {last:,} {over}", *numbers)
    if high - low <= max(2, high // 10):
        return Course(name, STEADY, f"at {seen} {over}", *numbers)
    if bases[-1] <= bases[0] + (high - low) / 4:
        return Course(name, BURSTY, f"between {low:,} and {high:,}, and back to {bases[-1]:,} {over}", *numbers)
    tail = points[-max(3, len(points) // 3) :]
    if max(p.high for p in tail) - min(p.low for p in tail) <= 1:
        constant = units.duration(tail[-1].at - tail[0].at)
        return Course(name, STEADY, f"rose from {first:,} to {last:,} and has kept still for {constant}", *numbers)
    return Course(name, TOO_SHORT, f"{seen} {over}: higher than at first, but not steadily; watch longer", *numbers)


def _parts(points: list[Point]) -> list[list[Point]]:
    size = len(points) / PARTS
    return [points[round(i * size) : round((i + 1) * size)] for i in range(PARTS)]
