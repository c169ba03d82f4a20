"""How a number went, told by the things that it counts: a word, a rate and its interval. Pure.

Where things are known one by one (`lives`), those that stay decide, and the number is only shown. Where only a number
is known, `trend` looks for a base that rises.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hermes_diag.core import units
from hermes_diag.watch import lives, trend
from hermes_diag.watch.lives import Judged, Lives, Stay
from hermes_diag.watch.records import Course
from hermes_diag.watch.trend import BURSTY, GROWING, STEADY, TOO_SHORT, UNKNOWN, Series

#: Parts of the time in which things come, to see whether they come in clumps.
_PARTS = 12
#: Things that stay after which a leak is told, as a rule.
_TELLS = 8


def judge(name: str, series: Series, known: Lives | None, found: Judged | None = None) -> Course:
    """A word for a number, with what it rests on. found: what was found of the lives, where that is known already."""
    if known is None or series.first is None:
        return trend.judge(name, series)
    points, (begun, first) = series.points, series.first
    seconds = points[-1].at - begun
    low, high, last = min(p.low for p in points), max(p.high for p in points), points[-1].last
    over = f"in {units.count(series.samples, 'sample')} over {units.duration(seconds)}"
    seen = f"{first:,}" if low == high else f"{low:,} to {high:,}"
    if series.samples < trend.ENOUGH or seconds <= 0:
        return trend.judge(name, series)
    found = found or lives.judge(known)
    value, least, most = rate(found.leak or found.quietest, known.width)
    course = Course(
        name, UNKNOWN, "", first, last, low, high, value, least, most, most, value, seconds,
        seconds / (series.samples - 1), (found.leak or found.doubt or found.quietest).count,
    )  # fmt: skip
    if found.leak:
        per_hour = f"{units.rate(value)} ({units.rate(least)} to {units.rate(most)})"
        stay = f"{found.leak.count:,} that came meanwhile stay"
        return replace(course, word=GROWING, text=f"by {per_hour}, from {first:,} to {last:,} {over}; {stay}")
    if found.doubt:
        tells = seconds * max(2.0, _TELLS / found.doubt.count)
        few = f"{found.doubt.count:,} that came meanwhile stay, which may be chance"
        text = f"{seen} {over}: {few}; watch for {units.at_least(tells)} at least"
        return replace(course, word=TOO_SHORT, text=text, tells=tells)
    word, text = _healthy(known, found, series, seen, over)
    return replace(course, word=word, text=text)


def _healthy(known: Lives, found: Judged, series: Series, seen: str, over: str) -> tuple[str, str]:
    low, high = min(p.low for p in series.points), max(p.high for p in series.points)
    stay = known.stay(lives.OLD[0])
    if high - low <= max(2, high // 10):
        return STEADY, f"at {seen} {over}"
    if still := trend.quiet(series):
        first = series.first[1] if series.first else 0
        return (
            STEADY,
            f"rose from {first:,} to {series.points[-1].last:,} and has kept still for {units.duration(still)}",
        )
    if not stay.came:
        return BURSTY, f"{seen} {over}: none that came stays longer than {units.duration(stay.age * known.width)}"
    since = units.duration((known.end - stay.came[-1][0]) * known.width)
    return BURSTY, f"{seen} {over}: of those that came {stay.count:,} stay, the last for {since}"


def rate(stay: Stay, width: float) -> tuple[float, float, float]:
    """So many an hour come and stay, and the interval that holds the true rate 19 times in 20. width: seconds of a
    cell.

    The count is one of things that come at random; where they come in clumps, as one of so many clumps.
    """
    count, begun = stay.count, 0.0
    if count and (1 - (stay.came[0][0] - 1) / max(1, stay.span)) ** count < 1 / 20:  # they did not come from the start
        begun, count = stay.came[0][0], count - 1
    hours = max(1.0, stay.span - begun) * width / 3600
    clump = _clumps(stay, begun)
    least, most = trend.counted(count / clump)
    return count / hours, least * clump / hours, most * clump / hours


def _clumps(stay: Stay, begun: float) -> float:
    """How many come together on average: the variance of their number in parts of the time over its mean."""
    span = max(1.0, stay.span - begun)
    return max(1.0, *(_dispersion(stay, begun, span, parts) for parts in (_PARTS, 4 * _PARTS, int(span))))


def _dispersion(stay: Stay, begun: float, span: float, parts: int) -> float:
    if stay.count < 2 or parts < 2:
        return 1.0
    found = Counter[int]()
    for cell, count in stay.came:
        found[min(parts - 1, int((cell - begun) * parts / span))] += count
    mean = stay.count / parts
    return sum((found[i] - mean) ** 2 for i in range(parts)) / (parts - 1) / mean
