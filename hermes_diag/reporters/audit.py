"""An AuditReport for people and as JSON: one row for each promise."""

from __future__ import annotations

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hermes_diag.core import units
from hermes_diag.core.report import AuditReport, AuditRow
from hermes_diag.reporters.terminal import VERY_WIDE, stack_line, verdict

SCHEMA = 1

_STYLES = {"held": "green", "broken": "bold red", "not applicable": "dim", "could not tell": "yellow"}


def as_json(report: AuditReport) -> str:
    """The document, indented, without a final newline."""
    document = {"schema": SCHEMA, **msgspec.to_builtins(report)}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def render(report: AuditReport, width: int) -> RenderableType:
    """Rows, stack and verdict for so many columns."""
    parts: list[RenderableType] = []
    if report.subject:
        kind = {True: "async", False: "sync"}[report.subject["async"]]
        parts.append(Text(f"{report.spec}: {report.subject['kind']}, {kind} {report.subject['client']}", style="bold"))
    parts.append(_table(report.rows) if width >= VERY_WIDE else Group(*map(_item, report.rows)))
    if report.frames:
        parts += [Text("stacks, innermost frame first", style="bold"), Text("\n".join(report.frames))]
    if report.stack:
        parts.append(Text(stack_line(report.stack)))
    return Group(*parts, verdict(report.verdict, report.exit_code))


def _table(rows: tuple[AuditRow, ...]) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, ratio in (("promise", 4), ("", 2), ("what was seen", 6)):
        table.add_column(name, ratio=ratio)
    for row in rows:
        table.add_row(row.promise, Text(row.status, style=_STYLES[row.status]), "\n".join([row.seen, *_why(row)]))
    return table


def _item(row: AuditRow) -> RenderableType:
    head = Text.assemble((row.status, _STYLES[row.status]), "  ", (row.promise, "bold"))
    return Group(head, Padding(Text("\n".join([row.seen, *_why(row)])), (0, 0, 0, 2), expand=False))


def _why(row: AuditRow) -> list[str]:
    """Why it matters: only where it does."""
    return [f"Why: {row.why}{units.cited(row.reference)}"] if row.status in ("broken", "could not tell") else []
