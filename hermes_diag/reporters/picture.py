"""Small pictures of numbers over time, one line each, for a terminal: bars from low to high between the first and the
last number. Readable without colour; where the encoding has no blocks a digit stands for each bar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hermes_diag.core.text import one_line

BLOCKS, DIGITS = "▁▂▃▄▅▆▇█", "0123456789"
#: Columns of the bars at least and at most, and of a name beside them at least.
LEAST, MOST, NAME = 12, 48, 12
#: What the highest bar stands for at least, so that a socket more or less does not look like much.
SMALL = 7


@dataclass(frozen=True)
class Curve:
    """One number over time. points: (position, value), in the order of positions, which do not fall. floor: what the
    lowest bar stands for."""

    name: str
    points: Sequence[tuple[float, int]]
    floor: int = 0

    @property
    def peak(self) -> int:
        return max(value for _, value in self.points)


@dataclass(frozen=True)
class Drawn:
    """A curve as text. name: cut to fit; before, after: the first and the last number, padded."""

    curve: Curve
    name: str
    before: str
    bars: str
    after: str


def draw(curves: Sequence[Curve], width: int, blocks: bool, least: int = SMALL) -> list[Drawn]:
    """Each curve for so many columns, beginning with two blanks.

    Bars are linear, and each curve fills the height: eight bars for all would make a leak of 24 beside one of 100 look
    like a number that stays. least: what the highest bar is above the floor at least. Where there is no room for names
    beside the bars, `is_stacked(width, drawn)` says so, and each name stands on a line of its own.
    """
    ends = [(f"{one.points[0][1]:,}", f"{one.points[-1][1]:,}") for one in curves]
    left, right = (max((len(pair[side]) for pair in ends), default=0) for side in (0, 1))
    room = width - 2 - left - 1 - 1 - right
    longest = max((len(one.name) for one in curves), default=0)
    beside = min(longest, room - 2 - LEAST)
    beside = 0 if beside < min(NAME, longest) else beside
    bars = max(1, min(MOST, room - 2 - beside if beside else room))
    return [
        Drawn(
            one,
            shortened(one.name, beside or width - 2).ljust(beside),
            before.rjust(left),
            bar([value - one.floor for value in columns(one.points, bars)], max(one.peak - one.floor, least), blocks),
            after.rjust(right),
        )
        for one, (before, after) in zip(curves, ends, strict=True)
    ]


def is_stacked(width: int, drawn: Drawn) -> bool:
    """Whether name and bars do not fit on one line of so many columns."""
    return 2 + len(drawn.name) + 2 + len(drawn.before) + 1 + len(drawn.bars) + 1 + len(drawn.after) > width


def columns(points: Sequence[tuple[float, int]], width: int) -> list[int]:
    """The highest value in each of so many parts of the time; where nothing was seen, the value before."""
    begin, end = points[0][0], points[-1][0]
    found: list[int | None] = [None] * width
    for at, value in points:
        place = min(width - 1, int((at - begin) / (end - begin) * width)) if end > begin else 0
        earlier = found[place]
        found[place] = value if earlier is None else max(earlier, value)
    last, filled = points[0][1], []
    for one in found:
        last = last if one is None else one
        filled.append(last)
    return filled


def bar(values: Iterable[int], top: int, blocks: bool = True) -> str:
    """Values as bars from 0 up to `top`. What is more than 0 never looks like it."""
    signs = BLOCKS if blocks else DIGITS
    steps = len(signs) - 1
    return "".join(signs[0 if value <= 0 else max(1, min(steps, int(value * steps / top + 0.5)))] for value in values)


def shortened(name: str, most: int) -> str:
    """A name on one line of at most so many columns; of a long one beginning and end remain."""
    name = one_line(name)
    if len(name) <= most:
        return name
    head = max(0, (most - 3) // 3)
    return (name[:head] + "..." + name[len(name) - (most - 3 - head) :])[:most] if most > 3 else name[:most]
