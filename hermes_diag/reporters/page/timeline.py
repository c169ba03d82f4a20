"""Sockets by state over time: stacked areas, turns as ticks, errors as marks, barriers as lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hermes_diag.core import units
from hermes_diag.core.peaks import Peaks
from hermes_diag.reporters.page import states
from hermes_diag.reporters.page.svg import Time, axis, element, heights, joined, levels, moment

#: Stretches of time that a chart keeps apart, and ticks of turns.
STRETCHES, TICKS = 300, 240
#: Barriers that are drawn at most.
BARRIERS = 60
HEIGHT, STRIP = 132, 22


@dataclass(frozen=True)
class Look:
    """How many sockets were in which class of states at a moment."""

    at: float
    counts: dict[str, int]


@dataclass(frozen=True)
class Tick:
    """One turn: when it ended, its outcome (ok, interrupted, error)."""

    at: float
    outcome: str


@dataclass(frozen=True)
class Timeline:
    """What is drawn. together: looks that are shown as one; the highest count of each state is kept."""

    time: Time
    looks: Sequence[Look]
    turns: Sequence[Tick] = ()
    barriers: Sequence[tuple[float, str]] = ()
    together: int = 1

    @property
    def highest(self) -> int:
        return max((sum(look.counts.values()) for look in self.looks), default=0)


def gathered(looks: Iterable[Look]) -> tuple[list[Look], int]:
    """At most STRETCHES looks, the highest count of each class kept; how many looks one of them stands for."""
    given = list(looks)
    if len(given) <= STRETCHES:
        return given, 1
    names = [name for name, _, _ in states.ALL if any(name in look.counts for look in given)]
    series = {name: Peaks(STRETCHES) for name in names}
    for look in given:
        for name, peaks in series.items():
            peaks.add(look.at, look.counts.get(name, 0))
    if not series:
        return [Look(given[0].at, {}), Look(given[-1].at, {})], len(given)
    found = [
        Look(together[0].begin, {name: one.high for name, one in zip(names, together, strict=True)})
        for together in zip(*series.values(), strict=True)
    ]
    return found, next(iter(series.values())).together


def points(line: Timeline) -> Iterator[str]:
    """What can be read at each look: `PER CENT|TEXT`."""
    names = {shown[0]: shown[1] for shown in states.ALL}
    for look in line.looks:
        counts = ", ".join(f"{names[name]} {count:,}" for name, count in look.counts.items() if count)
        yield f"{line.time.share(look.at) * 100:.2f}|{moment(look.at)}: {counts or 'no sockets'}"


def chart(line: Timeline, said: str) -> Markup:
    """The chart. said: what it shows in one sentence, for who cannot see it."""
    top = heights(max(1, line.highest))
    bottom = HEIGHT + (STRIP if line.turns else 0)
    return element(
        "svg",
        axis(line.time, bottom),
        levels(top, HEIGHT),
        element(
            "svg",
            *_areas(line, top[-1]),
            x=0, y=0, width="100%", height=HEIGHT, viewBox=f"0 0 1000 {HEIGHT}", preserveAspectRatio="none",
        ),
        element("line", class_="base", x1=0, x2="100%", y1=HEIGHT, y2=HEIGHT),
        _barriers(line, bottom),
        *_turns(line),
        class_="plot", width="100%", height=bottom + 18, role="img", aria_label=said,
    )  # fmt: skip


def _areas(line: Timeline, top: int) -> Iterator[Markup]:
    """One area for each class of states, each on those below it; a count holds until the next look."""
    below = [0.0] * len(line.looks)
    for name, _, _ in states.ALL:
        counts = [look.counts.get(name, 0) for look in line.looks]
        if not any(counts):
            continue
        above = [low + count for low, count in zip(below, counts, strict=True)]
        yield element("path", class_=f"area {name}", d=_steps(line, above, below, top))
        below = above


def _steps(line: Timeline, above: Sequence[float], below: Sequence[float], top: int) -> str:
    xs = [line.time.share(look.at) * 1000 for look in line.looks]
    ends = [*xs[1:], 1000.0]

    def corners(values: Sequence[float]) -> list[str]:
        found = []
        for begin, end, value in zip(xs, ends, values, strict=True):
            y = HEIGHT - HEIGHT * value / top
            found += [f"{begin:.1f} {y:.1f}", f"{end:.1f} {y:.1f}"]
        return found

    return f"M{'L'.join((*corners(above), *reversed(corners(below))))}Z"


def _barriers(line: Timeline, bottom: int) -> Markup:
    parts, free = [], -1.0
    for at, label in line.barriers[:: len(line.barriers) // BARRIERS + 1]:
        x, share = line.time.x(at), line.time.share(at)
        said = element("title", f"{label}, {moment(at)}")
        parts.append(element("line", said, class_="barrier", x1=x, x2=x, y1=0, y2=bottom))
        if free <= share < 0.9:
            parts.append(element("text", label, class_="barrier-name", x=x, dx=3, y=10))
            free = share + 0.04 + 0.02 * len(label)
    return joined(parts)


def _turns(line: Timeline) -> Iterator[Markup]:
    """A tick for each turn, or for those of one stretch of time; errors have a cross."""
    stretches: dict[int, list[Tick]] = {}
    for tick in line.turns:
        stretches.setdefault(int(line.time.share(tick.at) * TICKS), []).append(tick)
    for ticks in stretches.values():
        failed = sum(tick.outcome == "error" for tick in ticks)
        outcome = "error" if failed else "interrupted" if any(tick.outcome == "interrupted" for tick in ticks) else "ok"
        x = line.time.x(ticks[0].at)
        said = f"{units.count(len(ticks), 'turn')} to {moment(ticks[-1].at)}" + (
            f", {failed} with an error" if failed else ""
        )
        mark = {
            "ok": element("path", d=f"M0 {HEIGHT + 4}V{HEIGHT + 18}"),
            "interrupted": element("path", d=f"M0 {HEIGHT + 4}V{HEIGHT + 9}M0 {HEIGHT + 13}V{HEIGHT + 18}"),
            "error": element("path", d=f"M-3.5 {HEIGHT + 7.5}l7 7m0 -7l-7 7"),
        }[outcome]
        yield element("svg", mark, element("title", said), class_=f"turn {outcome}", x=x, overflow="visible")
