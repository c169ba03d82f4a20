"""Scenarios for people: the catalogue, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from hermes_diag.core import units
from hermes_diag.core.report import ScenariosReport
from hermes_diag.core.status import Status
from hermes_diag.reporters import style


def listing(lines: Sequence[tuple[str, str, str]]) -> RenderableType:
    """The catalogue: (name, summary, reference)."""
    parts: list[RenderableType] = []
    for name, summary, reference in lines:
        parts += [Text(name, style=style.TITLE), style.indented([f"{summary}{units.cited(reference)}"])]
    return Group(*parts)


def render(report: ScenariosReport) -> RenderableType:
    """What became of each scenario, and the verdict."""
    parts: list[RenderableType] = []
    styles = {Status.CLEAN: style.GOOD, Status.FAILING: style.BAD, Status.COULD_NOT_TELL: style.UNSURE}
    for scenario in report.scenarios:
        parts.append(Text.assemble((scenario.name, style.TITLE), "  ", (scenario.result, styles[scenario.status])))
        seen = (f"bad client: {scenario.bad or 'nothing'}", f"good client: {scenario.good or 'nothing'}")
        parts.append(style.indented([f"{scenario.summary}{units.cited(scenario.reference)}", *seen]))
    if report.stack is not None:
        parts.append(Text(f"\n{style.stack_line(report.stack)}"))
    return Group(*parts, Text(), style.verdict(report))
