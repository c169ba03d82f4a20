"""Markdown for a job summary or an issue: bounded, what failed first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hermes_diag.core import units
from hermes_diag.core.agent_log import LogReport
from hermes_diag.core.report import AuditReport, CheckReport, Finding, Report, Row, RunReport
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.judge import causes
from hermes_diag.reporters.gfm import Sheet, bold, escaped
from hermes_diag.reporters.rows import details, place
from hermes_diag.reporters.style import stack_line
from hermes_diag.watch.reports import LookReport, TraceReport, WatchReport

ENDING = ".md"

#: Bytes of the whole text: GitHub takes 65,536 characters in an issue. Rows that stand in the table; lines of a list.
MOST, ROWS, FEW = 60_000, 20, 20
#: Columns of what is shown as a terminal shows it.
WIDTH = 80

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
_UNJUDGED = "\N{INFORMATION SOURCE}\N{VARIATION SELECTOR-16}"
_TABLE = ("| | what | seen |", "|---|---|---|")
_TURNS = ("| cell | turn | ms | events | outcome |", "|---|---|---:|---:|---|")


def render(report: Report, width: int, verbose: bool) -> str:
    """At most MOST bytes, and then it says what was left out."""
    sheet = Sheet(MOST)
    sheet.add(_head(report))
    rows = [_row(row) for row in sorted(report.rows, key=lambda row: _ORDER.index(row.status))]
    sheet.part("rows", rows[:ROWS], _TABLE)
    sheet.add(_notes(report))
    sheet.part("findings", list(_findings(report.findings)), fold=True)
    sheet.part("further rows", rows[ROWS:], _TABLE, fold=True)
    if isinstance(report, RunReport):
        claims = [
            f"| {escaped(claim.status)} | {escaped(claim.claim)} | {escaped(claim.evidence)} |"
            for claim in report.claims
        ]
        sheet.part("claims of the bug report", claims, ("| | claim | evidence |", "|---|---|---|"), fold=True)
        sheet.part("turns", list(_turns(report)), _TURNS, fold=True)
    if isinstance(report, AuditReport):
        stacks = [f"- {escaped(frame)}" for frame in report.frames]
        sheet.part("lines of stacks, innermost frame first", stacks, fold=True)
    if isinstance(report, (LookReport, WatchReport, TraceReport, LogReport)):
        from hermes_diag.reporters.formats import terminal

        # Four blanks before each make a block of code, in which nothing is markup, a link or a mention.
        whole = [f"    {line}" for line in terminal.render(report, WIDTH, verbose).splitlines()]
        sheet.part("lines, as a terminal shows it", whole, fold=True)
    return sheet.text()


def _head(report: Report) -> Iterator[str]:
    judged = not isinstance(report, LookReport) or report.judged
    yield f"## {_MARKS.get(report.status, '⚠️') if judged else _UNJUDGED} hermes-diag {escaped(report.command)}"
    yield ""
    yield bold(report.verdict)
    yield ""
    # No full stop behind a field: `www.` would be a link.
    yield f"- put to the test: {escaped(report.subject)}"
    if report.stack:
        yield f"- measured on {escaped(stack_line(report.stack))}"
    if report.interrupted:
        yield "- interrupted: this is what was measured until then"
    if isinstance(report, RunReport):
        for one in report.plan.payloads[:FEW]:
            yield f"- payload: {escaped(one.source)} ({escaped(one.kind)}, {escaped(one.api)} API, {one.size} bytes)"
        for endpoint in dict.fromkeys(one.cell.endpoint for one in report.cells if one.cell.endpoint):
            yield f"- endpoint: {escaped(endpoint)}"


def _notes(report: Report) -> Iterator[str]:
    """What only a check or an audit says, as one list."""
    lines: list[str] = []
    if isinstance(report, CheckReport):
        lines += _few(f"{escaped(name)} = {escaped(value)} (from {escaped(of)})" for name, value, of in report.settings)
        lines += _few(f"better: {escaped(one)} is in the baseline, and not any more" for one in report.better)
        if where := place(report):
            lines.append(f"defined in {escaped(where)}")
    if isinstance(report, CheckReport | AuditReport):
        lines += _few(map(escaped, report.notes))
    if lines:
        yield ""
    yield from (f"- {line}" for line in lines)


def _few(lines: Iterable[str]) -> list[str]:
    every = list(lines)
    return every[:FEW] + ([f"and {len(every) - FEW:,} more"] if len(every) > FEW else [])


def _row(row: Row) -> str:
    name = f"{row.name} {row.code}" if row.kind == "workload" and row.code else row.name
    seen = "<br>".join(map(escaped, details(row)))
    status = f"**{row.status}**" if row.status == RowStatus.FAILED else row.status
    return f"| {status} | {bold(name)}<br>{escaped(row.what)} | {seen} |"


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    """Each code once, with what was seen at the first place; problems come first."""
    by_code: dict[str, list[Finding]] = {}
    for one in sorted(findings, key=lambda one: one.rank):
        by_code.setdefault(one.code, []).append(one)
    for code, found in by_code.items():
        first = found[0]
        where, *others = dict.fromkeys(one.where for one in found)
        also = f" (also in {escaped(', '.join(others))})" if others else ""
        cure = f"<br>Remedy: {escaped(first.remedy + units.cited(first.reference))}" if first.remedy else ""
        place_ = f" in {escaped(where)}" if where else ""
        yield f"- {escaped(first.severity)} {bold(code)}{place_}: {escaped(first.summary)}{also}{cure}"


def _turns(report: RunReport) -> Iterator[str]:
    for seen in report.evidence:
        sent = {served.turn: str(served.events) for served in seen.served}
        for turn in seen.turns:
            name = causes.name(turn)
            outcome = f"{causes.of(turn)}: {' <- '.join(turn.chain)}" if turn.outcome == "error" else turn.outcome
            events = f"{turn.events} of {sent[name]}" if name in sent else str(turn.events)
            yield f"| {escaped(seen.cell.name)} | {escaped(name)} | {turn.ms:.1f} | {events} | {escaped(outcome)} |"
