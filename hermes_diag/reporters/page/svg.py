"""Elements of SVG as markup in which every text is escaped, and the axis of time.

Along x everything stands at per cent of the width, so that a chart fits any screen and its letters keep their size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from hermes_diag.core import units

#: Steps between labels of an axis, in seconds, then in counts.
_STEPS = (
    *(base * 10**power for power in range(-4, 1) for base in (1, 2, 5)),
    *(10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(hours * 3600 for hours in (1, 2, 4, 6, 12, 24, 48, 96, 168, 336, 720)),
)


def element(name: str, *inside: str | Markup, **attributes: object) -> Markup:
    """One element. Attributes: `class_` is `class`, other underscores are dashes; None is left out."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{said}>{''.join(map(escape, inside))}</{name}>" if inside else f"<{name}{said}/>")  # nosec B704


def joined(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)


@dataclass(frozen=True)
class Time:
    """The axis of time that the charts of a cell share. Seconds."""

    begin: float
    end: float

    def x(self, at: float) -> str:
        """A moment in per cent of the width."""
        return f"{self.share(at) * 100:.2f}%"

    def share(self, at: float) -> float:
        """A moment as a part of the whole, 0 to 1."""
        return min(1.0, max(0.0, (at - self.begin) / ((self.end - self.begin) or 1.0)))

    def width(self, begin: float, end: float) -> str:
        return f"{max(0.0, self.share(end) - self.share(begin)) * 100:.2f}%"

    def ticks(self, most: int = 5) -> Iterator[tuple[float, str]]:
        """(moment, label) of round moments."""
        span = self.end - self.begin
        longest = _STEPS[-1] * math.ceil(max(1.0, span / most / _STEPS[-1]))
        step = next((step for step in _STEPS if span / step <= most), longest)
        for number in range(math.ceil(self.begin / step - 1e-9), math.floor(self.end / step + 1e-9) + 1):
            yield number * step, moment(number * step)


def moment(seconds: float) -> str:
    """A moment since the beginning: `0.25 s`, `90 s`, `2 h 5 min`."""
    return f"{seconds:.3g} s" if seconds < 10 else units.duration(seconds)


def lasted(seconds: float) -> str:
    """How long something was: `4.2 ms`, `130 ms`, `2.5 s`, `3 h`."""
    if seconds >= 1:
        return units.duration(seconds)
    return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"


def axis(time: Time, y: float) -> Markup:
    """Labels of the axis of time, with their lines across the chart."""
    parts = []
    for at, label in time.ticks():
        share = time.share(at)
        anchor = "start" if share < 0.04 else "end" if share > 0.96 else "middle"
        parts.append(element("line", class_="grid", x1=time.x(at), x2=time.x(at), y1=0, y2=y))
        parts.append(element("text", label, class_="tick", x=time.x(at), y=y + 14, text_anchor=anchor))
    return joined(parts)


def levels(top: Sequence[int], height: float) -> Markup:
    """Lines across a chart of that height with their counts. top: as `heights` has them."""
    parts = []
    for level in top:
        y = height - height * level / top[-1]
        parts.append(element("line", class_="grid", x1=0, x2="100%", y1=f"{y:.1f}", y2=f"{y:.1f}"))
        parts.append(element("text", f"{level:,}", class_="level", x=-6, y=f"{y + 4:.1f}", text_anchor="end"))
    return joined(parts)


def heights(highest: int) -> list[int]:
    """Round counts for the lines across a chart, 0 left out; the last is the top of the chart."""
    step = next(step for power in range(16) for base in (1, 2, 5) if highest / (step := base * 10**power) <= 4)
    return [step * number for number in range(1, max(1, math.ceil(highest / step)) + 1)]
