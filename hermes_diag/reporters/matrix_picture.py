"""CLOSE_WAIT over the turns of each cell as a small picture, so that it is seen which of them grow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import FRESH, MEASURE
from hermes_diag.core.report import RunReport
from hermes_diag.core.sockets import CLOSE_WAIT
from hermes_diag.judge.rules import close_wait_grows
from hermes_diag.reporters import picture, style
from hermes_diag.reporters.picture import Curve

#: Lines of cells at most, the last of which may stand for several.
MOST = 6
_SHOWN = ("start", "idle", "end")


@dataclass(frozen=True)
class Picture:
    """Those that grow come first, then the largest; cells without one CLOSE_WAIT share a line beside them. Nothing
    where no cell has one, or two barriers."""

    report: RunReport

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        growing = {one.where for one in self.report.findings if one.code == close_wait_grows.CODE}
        curves, more = _chosen(self.report, growing)
        if not curves:
            return
        yield style.heading(f"{CLOSE_WAIT} over turns: first, course, last")
        # What is small beside the others looks small.
        least = max(picture.SMALL, max(one.peak for one in curves) // 10)
        for one in picture.draw(curves, options.max_width, not options.ascii_only, least):
            colour = "red" if one.curve.name in growing else "" if one.curve.peak else style.GOOD
            numbers = Text.assemble(one.before, " ", (one.bars, colour), " ", one.after)
            if picture.is_stacked(options.max_width, one):
                yield Text(f"  {one.name}")
                yield Text.assemble("  ", numbers)
            else:
                yield Text.assemble("  ", one.name, "  ", numbers)
        if more:
            yield Text(f"  and {units.count(more, 'cell')} with less")


def _chosen(report: RunReport, growing: set[str]) -> tuple[list[Curve], int]:
    """The curves to show, and how many cells are left out."""
    curves = [Curve(one.cell.name, points) for one in report.evidence if len(points := _points(one)) > 1]
    risen = sorted(
        (one for one in curves if one.peak), key=lambda one: (one.name not in growing, -_rise(one), -one.peak)
    )
    flat = [one for one in curves if not one.peak and risen]
    shown = risen[: MOST - bool(flat)]
    if flat:
        others = f" and {len(flat) - 1} more" if len(flat) > 1 else ""
        shown.append(Curve(flat[0].name + others, flat[0].points))
    return shown, len(risen) - len(shown) + bool(flat)


def _rise(curve: Curve) -> int:
    return curve.points[-1][1] - curve.points[0][1]


def _points(evidence: Evidence) -> list[tuple[float, int]]:
    """Each barrier that stands between turns, by the turns begun until then; a second one at the same turn stands one
    further."""
    return list(_placed(evidence)) if evidence.cell.workload not in (FRESH, MEASURE) else []


def _placed(evidence: Evidence) -> Iterator[tuple[float, int]]:
    at = -1
    for sample in evidence.samples:
        if sample.label in _SHOWN:
            at = max(at + 1, sample.turns)
            yield at, sample.states.get(CLOSE_WAIT, 0)
