"""Workflow commands of GitHub Actions: an annotation for each kind of problem."""

from __future__ import annotations

from collections.abc import Iterator

from hermes_diag.core.escape import fields_of
from hermes_diag.core.report import CheckReport, Report, Row
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.core.text import one_line

ENDING = ""
#: GitHub shows no more than ten errors of a step.
MOST = 10
LONGEST = 1000


def render(report: Report, width: int, verbose: bool) -> str:
    """Annotations at the file that the report names, as it stands in the report."""
    defined = report.defined if isinstance(report, CheckReport) else None
    return "".join(f"{line}\n" for line in commands(report, defined.file if defined else ""))


def commands(report: Report, file: str = "") -> Iterator[str]:
    """Lines to print. file: where the factory is defined, seen from the workspace; "" without one."""
    report = fields_of(report)
    line = report.defined.line if isinstance(report, CheckReport) and report.defined else None
    by_code: dict[str, list[Row]] = {}
    for row in report.rows:
        if row.status == RowStatus.FAILED:
            by_code.setdefault(row.code or row.name, []).append(row)
    for number, (code, rows) in enumerate(by_code.items(), start=1):
        if number == MOST and len(by_code) > MOST:
            yield error(file, line, "hermes-diag", report.verdict)
            return
        yield error(file, line, f"hermes-diag: {code}", _message(rows))
    if report.status == Status.COULD_NOT_TELL:
        yield error(file, line, "hermes-diag", report.verdict)


def _message(rows: list[Row]) -> str:
    seen = [f"{row.name}: {row.seen}" if row.kind == "workload" else row.seen for row in rows]
    return "\n".join(filter(None, [rows[0].what, *seen, rows[0].why, rows[0].remedy]))


def error(file: str, line: int | None, title: str, message: str) -> str:
    """One annotation; without a file it stands at the job."""
    properties = {"file": file, "line": str(line) if file and line else "", "title": title}
    given = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    return f"::error {given}::{_data(message[:LONGEST])}"


def _data(text: str) -> str:
    return "%0A".join(one_line(line).replace("%", "%25") for line in text.split("\n"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
