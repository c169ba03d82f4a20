"""Markdown for a job summary or an issue: bounded, what failed first."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hermes_diag.core.report import CheckReport, Report, Row
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.reporters.rows import details, place
from hermes_diag.reporters.style import stack_line

ENDING = ".md"

#: Bytes of the whole text, and characters of one piece of it.
MOST, LONGEST = 90_000, 400

_ORDER = (
    RowStatus.FAILED,
    RowStatus.COULD_NOT_TELL,
    RowStatus.NOTED,
    RowStatus.ALLOWED,
    RowStatus.KNOWN,
    RowStatus.PASSED,
    RowStatus.NOT_APPLICABLE,
)
_MARKS = {Status.CLEAN: "✅", Status.FAILING: "❌"}


def render(report: Report, width: int, verbose: bool) -> str:
    """At most MOST bytes, and then it says what was left out."""
    text = "\n".join(_head(report))
    rows = sorted(report.rows, key=lambda row: _ORDER.index(row.status))
    table = ["", "| | what | seen |", "|---|---|---|"]
    tail = "\n".join(["", *_tail(report)])
    room = MOST - sum(len(part.encode()) + 1 for part in (text, *table, tail)) - 100
    for number, row in enumerate(rows):
        line = _row(row)
        room -= len(line.encode()) + 1
        if room < 0:
            table += ["", f"... and {len(rows) - number} more rows, in the output of the command."]
            break
        table.append(line)
    return "\n".join([text, *table, tail]) + "\n"


def _head(report: Report) -> Iterator[str]:
    yield f"## {_MARKS.get(report.status, '⚠️')} hermes-diag {report.command}"
    yield ""
    yield f"**{_escape(report.verdict)}**"
    if isinstance(report, CheckReport) and report.settings:
        yield ""
        for name, value, source in report.settings[:20]:
            yield f"- {name} = {_escape(value)} (from {_escape(source)})"


def _tail(report: Report) -> Iterator[str]:
    if isinstance(report, CheckReport):
        for better in report.better[:20]:
            yield f"- better: {_escape(better)} is in the baseline, and not any more"
        for note in report.notes[:20]:
            yield f"- {_escape(note)}"
        if where := place(report):
            yield f"\nDefined in {_escape(where)}."
    if report.stack:
        yield f"\nMeasured on {_escape(stack_line(report.stack))}."


def _row(row: Row) -> str:
    name = f"{row.name} {row.code}" if row.kind == "workload" and row.code else row.name
    seen = "<br>".join(map(_escape, details(row)))
    status = f"**{row.status}**" if row.status == RowStatus.FAILED else row.status
    return f"| {status} | **{_escape(name)}**<br>{_escape(row.what)} | {seen} |"


def _escape(text: str) -> str:
    """Text as text: no markup, no second line, no cell of its own."""
    text = " ".join(text.encode("utf-8", "replace").decode().split())
    text = text if len(text) <= LONGEST else text[:LONGEST] + "..."
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*\[\]|~]|(?<!\w)_|_(?!\w))", r"\\\1", text)
