"""A CheckReport as GitHub-flavoured markdown, for a job summary: bounded, what failed first."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hermes_diag.core.report import ALLOWED, FAILED, KNOWN, NOT_APPLICABLE, PASSED, UNKNOWN, CheckReport, CheckRow
from hermes_diag.reporters.check import at, details
from hermes_diag.reporters.terminal import stack_line

#: Bytes of the whole text, and characters of one piece of it.
MOST, LONGEST = 90_000, 400

_ORDER = (FAILED, UNKNOWN, ALLOWED, KNOWN, PASSED, NOT_APPLICABLE)
_MARKS = {0: "✅", 1: "❌"}


def render(report: CheckReport) -> str:
    """The text, with a final newline; at most so many bytes, and then it says what was left out."""
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


def _head(report: CheckReport) -> Iterator[str]:
    yield f"## {_MARKS.get(report.exit_code, '⚠️')} hermes-diag check"
    yield ""
    yield f"**{_escape(report.verdict)}**"
    if report.settings:
        yield ""
        for name, value, source in report.settings[:20]:
            yield f"- {name} = {_escape(value)} (from {_escape(source)})"


def _tail(report: CheckReport) -> Iterator[str]:
    for one in report.better[:20]:
        yield f"- better: {_escape(one)} is in the baseline, and not any more"
    for note in report.notes[:20]:
        yield f"- {_escape(note)}"
    if place := at(report):
        yield ""
        yield f"Defined in {_escape(place)}."
    if report.stack:
        yield ""
        yield f"Measured on {_escape(stack_line(report.stack))}."


def _row(row: CheckRow) -> str:
    name = f"{row.name} {row.code}" if row.kind == "workload" and row.code else row.name
    seen = "<br>".join(map(_escape, details(row) if row.status not in (PASSED, NOT_APPLICABLE) else [row.seen]))
    status = f"**{row.status}**" if row.status == FAILED else row.status
    return f"| {status} | **{_escape(name)}**<br>{_escape(row.what)} | {seen} |"


def _escape(text: str) -> str:
    """Text as text: no markup, no second line, no cell of its own."""
    text = " ".join(text.encode("utf-8", "replace").decode().split())
    text = text if len(text) <= LONGEST else text[:LONGEST] + "..."
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*\[\]|~]|(?<!\w)_|_(?!\w))", r"\\\1", text)
