"""A CheckReport for people and as JSON: what failed in full, of what passed the names."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from hermes_diag.core import units
from hermes_diag.core.report import ALLOWED, FAILED, KNOWN, NOT_APPLICABLE, PASSED, UNKNOWN, CheckReport, CheckRow
from hermes_diag.core.text import one_line
from hermes_diag.reporters.terminal import stack_line, verdict

SCHEMA = 1

_STYLES = {
    PASSED: "green",
    FAILED: "bold red",
    NOT_APPLICABLE: "dim",
    UNKNOWN: "yellow",
    ALLOWED: "cyan",
    KNOWN: "cyan",
}
#: Of these the names will do.
_QUIET = (PASSED, NOT_APPLICABLE)


def as_json(report: CheckReport) -> str:
    """The document, indented, without a final newline."""
    settings = [{"name": name, "value": value, "source": source} for name, value, source in report.settings]
    document = {"schema": SCHEMA, **msgspec.to_builtins(report), "settings": settings}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def render(report: CheckReport, width: int) -> RenderableType:
    """Settings, rows, stack and verdict; nothing depends on the width but where lines break."""
    parts: list[RenderableType] = [
        Text(one_line(f"{name} = {value}  (from {source})"), style="dim") for name, value, source in report.settings
    ]
    parts += [_row(row) for row in report.rows if row.status not in _QUIET]
    for status in _QUIET:
        if names := [row.name for row in report.rows if row.status == status]:
            parts.append(Text.assemble((status, _STYLES[status]), "  ", ", ".join(names)))
    parts += [
        Text.assemble(("better", "green"), "  ", f"{one}: in the baseline, and not any more") for one in report.better
    ]
    parts += [Text(one_line(f"note: {one}"), style="yellow") for one in report.notes]
    if report.defined:
        parts.append(Text(one_line(f"defined in {at(report)}")))
    if report.stack:
        parts.append(Text(stack_line(report.stack)))
    return Group(*parts, verdict(one_line(report.verdict), report.exit_code))


def at(report: CheckReport) -> str:
    """`file:line` of what was checked, "" when it is not known."""
    place = report.defined
    if place is None:
        return ""
    return place.file if place.line is None else f"{place.file}:{place.line}"


def _row(row: CheckRow) -> RenderableType:
    name = f"{row.name} {row.code}" if row.kind == "workload" and row.code else row.name
    head = Text.assemble((row.status, _STYLES[row.status]), "  ", (name, "bold"), "  ", (row.what, "dim"))
    return Group(head, *(Padding(Text(one_line(line)), (0, 0, 0, 2), expand=False) for line in details(row)))


def details(row: CheckRow) -> Iterator[str]:
    """What is to be said of a row that did not simply pass."""
    if row.status in _QUIET:
        return
    yield row.seen
    if row.note:
        yield row.note
    if row.remedy:
        yield f"{'Why' if row.kind == 'promise' else 'Remedy'}: {row.remedy}{units.cited(row.reference)}"
