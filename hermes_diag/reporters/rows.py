"""An audit or a check for people: a row each. Of what passed in a check the names will do, unless -v asks for all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from hermes_diag.core import units
from hermes_diag.core.report import AuditReport, CheckReport, Row
from hermes_diag.core.status import RowStatus
from hermes_diag.core.text import one_line
from hermes_diag.reporters import style

#: Of these the names will do.
_QUIET = (RowStatus.PASSED, RowStatus.NOT_APPLICABLE)


def audit(report: AuditReport) -> RenderableType:
    """Every row, stack and verdict."""
    parts: list[RenderableType] = []
    if report.client:
        kind = f"{report.kind}, {'async' if report.is_async else 'sync'} {report.client}"
        parts.append(Text(f"{report.subject}: {kind}", style=style.TITLE))
    parts += _rows(report.rows, verbose=True)
    if report.frames:
        parts += [Text("stacks, innermost frame first", style=style.TITLE), Text("\n".join(report.frames))]
    return Group(*parts, *_notes(report), *_end(report))


def check(report: CheckReport, verbose: bool = False) -> RenderableType:
    """Settings, rows, the comparison with the baseline, stack and verdict."""
    parts: list[RenderableType] = [
        Text(one_line(f"{name} = {value}  (from {source})")) for name, value, source in report.settings
    ]
    parts += _rows(report.rows, verbose)
    parts += [
        Text.assemble(("better", style.GOOD), f"  {name}: in the baseline, and not any more") for name in report.better
    ]
    parts += _notes(report)
    if report.defined:
        parts.append(Text(one_line(f"defined in {place(report)}")))
    return Group(*parts, *_end(report))


def _notes(report: AuditReport | CheckReport) -> Iterator[RenderableType]:
    for note in report.notes:
        yield Text(one_line(f"note: {note}"), style=style.UNSURE)


def _end(report: AuditReport | CheckReport) -> Iterator[RenderableType]:
    if report.stack:
        yield Text(style.stack_line(report.stack))
    line = style.verdict(report)
    line.plain = one_line(line.plain)
    yield line


def _rows(rows: Iterable[Row], verbose: bool) -> Iterator[RenderableType]:
    for row in rows:
        if verbose or row.status not in _QUIET:
            name = f"{row.name} {row.code}" if row.kind == "workload" and row.code else row.name
            yield Text.assemble((row.status, style.ROWS[row.status]), "  ", (name, style.TITLE), f"  {row.what}")
            yield style.indented(map(one_line, details(row)))
    for status in () if verbose else _QUIET:
        if names := [row.name for row in rows if row.status == status]:
            yield Text.assemble((status, style.ROWS[status]), "  ", ", ".join(names))


def details(row: Row) -> Iterator[str]:
    """What was seen, and of a row that did not simply pass what to do."""
    yield row.seen
    if row.status in _QUIET:
        return
    if row.note:
        yield row.note
    if row.status == RowStatus.COULD_NOT_TELL and row.kind == "promise":
        return
    if row.why and row.status != RowStatus.NOTED:  # of a choice the consequence is told
        yield f"Why: {row.why}{units.cited(row.reference)}"
    if row.remedy:
        yield f"Fix: {row.remedy}{'' if row.why else units.cited(row.reference)}"


def place(report: CheckReport) -> str:
    """`file:line` of what was checked, "" when it is not known."""
    defined = report.defined
    if defined is None:
        return ""
    return defined.file if defined.line is None else f"{defined.file}:{defined.line}"
