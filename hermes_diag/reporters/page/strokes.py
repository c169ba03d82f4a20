"""The lifeline of one connection, and the places of a pool, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hermes_diag.reporters.page import states
from hermes_diag.reporters.page.lives import Life
from hermes_diag.reporters.page.svg import Time, axis, element, heights, joined, levels, moment

#: Of a line, of the chart of a pool.
LINE, POOL = 16, 84


def lifeline(life: Life, time: Time, accused: bool) -> Markup:
    """One connection as a line from its opening to its close; one that stays open has an arrow at its end.

    accused: that it stays is part of a problem.
    """
    middle, end = LINE / 2, time.x(life.end)
    parts = [element("line", class_="rail", x1=0, x2="100%", y1=middle, y2=middle)]
    for one in life.stretches:
        shown = states.of(one.state)
        title = element("title", f"{one.state}, {moment(one.begin)} to {moment(one.end)}: {shown[2]}")
        width = time.width(one.begin, one.end)
        parts.append(
            element("rect", title, class_=f"area {shown[0]}", x=time.x(one.begin), y=3, width=width, height=LINE - 6)
        )
    begin = time.x(life.begin)
    parts.append(element("line", class_="cap", x1=begin, x2=begin, y1=2, y2=LINE - 2))
    if life.ends:
        parts.append(element("line", class_="cap", x1=end, x2=end, y1=2, y2=LINE - 2))
    else:
        arrow = element("path", d=f"M-7 1L1 {middle}L-7 {LINE - 1}")
        parts.append(
            element("svg", arrow, class_="endless accused" if accused else "endless", x=end, overflow="visible")
        )
    return element("svg", *parts, class_="line", width="100%", height=LINE, aria_hidden="true")


def scale(time: Time) -> Markup:
    """The labels of the axis of time alone, under the lines."""
    return element("svg", axis(time, 0), class_="plot", width="100%", height=18, aria_hidden="true")


@dataclass(frozen=True)
class Places:
    """How full the fullest pool was at a barrier."""

    at: float
    busy: int
    idle: int
    lost: int  # without a socket
    limit: int | None

    @property
    def taken(self) -> int:
        return self.busy + self.idle + self.lost


#: Class, name in the legend, what it means; in the order in which they lie on each other.
PLACES = (
    ("busy", "in use", "a request is on it, or its stream was never closed"),
    ("idle", "idle", "kept for the next request"),
    ("lost", "without a socket", "taken, and no socket is left of it"),
)


def pool(time: Time, places: Sequence[Places], said: str) -> Markup:
    """Bars from each barrier to the next; a line where the pool is full, when it comes near to that."""
    highest = max((one.taken for one in places), default=0)
    limit = places[-1].limit if places else None
    top = heights(max(1, highest, limit if limit and limit <= 2 * highest else 0))
    parts = [axis(time, POOL), levels(top, POOL)]
    ends = [*(one.at for one in places[1:]), time.end]
    parts += [bar for one, end in zip(places, ends, strict=True) for bar in _bars(time, one, end, top[-1])]
    if limit and limit <= top[-1]:
        y = f"{POOL - POOL * limit / top[-1]:.1f}"
        parts.append(element("line", element("title", f"full: {limit}"), class_="limit", x1=0, x2="100%", y1=y, y2=y))
    parts.append(element("line", class_="base", x1=0, x2="100%", y1=POOL, y2=POOL))
    return element("svg", joined(parts), class_="plot", width="100%", height=POOL + 18, role="img", aria_label=said)


def _bars(time: Time, one: Places, end: float, top: int) -> Iterator[Markup]:
    below = 0
    for name, label, _ in PLACES:
        count = getattr(one, name)
        if count:
            height = POOL * count / top
            y = POOL - POOL * below / top - height
            title = element("title", f"from {moment(one.at)}: {count} {label}")
            yield element(
                "rect", title, class_=f"area {name}", x=time.x(one.at), y=f"{y:.1f}",
                width=time.width(one.at, end), height=f"{height:.1f}",
            )  # fmt: skip
            below += count
