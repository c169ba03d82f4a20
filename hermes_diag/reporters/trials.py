"""Targets side by side, and the steps of a bisection, for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hermes_diag.core.text import one_line
from hermes_diag.core.trials import BisectReport, MatrixReport, Step, Trial
from hermes_diag.judge import bisection
from hermes_diag.judge.trials import COUNTED
from hermes_diag.reporters import style
from hermes_diag.reporters.style import WIDE, heading, indented

_STYLES = {"ok": style.GOOD, "too short": style.UNSURE, "no result": style.UNSURE}
_STATES = {bisection.SHOWN: style.BAD, bisection.NOT_SHOWN: style.GOOD}
#: Columns of numbers, narrow ones; in the order of COUNTED.
_HEADS = ("POSTs", "ESTABLISHED", "CLOSE_WAIT", "threads", "fds")

_LEGEND = "left for each turn, in the last idle gap (-: fewer); POSTs: beyond those wanted; s: seconds that it took"


def render(report: MatrixReport | BisectReport, width: int) -> RenderableType:
    """Everything, for so many columns."""
    if isinstance(report, BisectReport):
        return Group(*_bisection(report), heading("Verdict"), style.verdict(report))
    parts = [_table(report)] if width >= WIDE else list(_list(report))
    legend = Text(_LEGEND)
    return Group(*parts, legend, *_problems(report), *_missing(report), heading("Verdict"), style.verdict(report))


def _table(report: MatrixReport) -> RenderableType:
    several = len({trial.workload for one in report.targets for trial in one.trials}) > 1
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("target", overflow="fold")
    table.add_column("", overflow="fold")
    for head in (*_HEADS, "s"):
        table.add_column(head, justify="right", no_wrap=True)
    for one in report.targets:
        if not one.trials:
            table.add_row(one_line(one.name), Text("no result", style=style.UNSURE))
        for trial in one.trials:
            word = Text(trial.word, style=_STYLES.get(trial.word, "red"))
            if several:
                word.append(f" ({trial.workload})", style="default")
            table.add_row(one_line(one.name), word, *_numbers(trial), f"{trial.seconds:.1f}")
    return table


def _numbers(trial: Trial) -> Iterator[str]:
    for name in COUNTED:
        value = trial.left[name]
        yield "?" if value is None else f"{value:.2f}" if value else "0"


def _list(report: MatrixReport) -> Iterator[RenderableType]:
    for row in report.rows:
        yield Text.assemble((row.status, style.ROWS[row.status]), "  ", (one_line(row.name), style.TITLE))
        yield indented([one_line(row.seen)])


def _problems(report: MatrixReport) -> Iterator[RenderableType]:
    """Each kind of problem with the targets that show it."""
    found: dict[str, list[str]] = {}
    for one in report.targets:
        for code in dict.fromkeys(code for trial in one.trials for code in trial.codes):
            found.setdefault(code, []).append(one.name)
    if found:
        yield heading("Problems")
    for code, names in found.items():
        yield Text.assemble((code, style.BAD), f"  {one_line(', '.join(names))}")


def _missing(report: MatrixReport) -> Iterator[RenderableType]:
    """Why there is no result of a target."""
    lines = [(one.name, one.missing or "not begun") for one in report.targets if not one.trials]
    lines += [(one.name, trial.missing) for one in report.targets for trial in one.trials if trial.missing]
    if lines:
        yield heading("No result")
    for name, why in lines:
        yield Text.assemble((one_line(name), style.TITLE), f"  {one_line(why)}")


def _bisection(report: BisectReport) -> Iterator[RenderableType]:
    sought = " or ".join(report.finding) or "a problem"
    yield Text(f"{report.subject}: {sought}", style=style.TITLE)
    if report.finding:
        yield Text(
            f"not shown means: in {report.repetitions} runs of {report.repetitions}; the chance of a miss is "
            f"{100 * report.miss:.1f} %"
        )
    yield Text()
    untried = 0
    for step in report.steps:
        if step.state == bisection.NOT_TRIED:
            untried += 1
            continue
        yield from _gap(untried)
        untried = 0
        yield _step(step, step.name == report.first)
    yield from _gap(untried)


def _gap(untried: int) -> Iterator[RenderableType]:
    if untried:
        yield Text(f"  ... {untried} not tried")


def _step(step: Step, is_first: bool) -> RenderableType:
    mark = "> " if is_first else "  "
    return Group(
        Text.assemble(
            mark, (one_line(step.name), style.TITLE), "  ", (step.state, _STATES.get(step.state, style.UNSURE))
        ),
        indented([f"  {one_line(bisection.told(step))}"]),
    )
