"""A report to what the template shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from hermes_diag.core import units
from hermes_diag.core.agent_log import LogReport
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import FRESH, MEASURE
from hermes_diag.core.report import (
    AuditReport,
    CellReport,
    CheckReport,
    Claim,
    ComparedReport,
    Finding,
    Report,
    Row,
    RunReport,
    ScenariosReport,
)
from hermes_diag.core.status import RowStatus
from hermes_diag.judge import dump_comparison
from hermes_diag.judge.check import workload
from hermes_diag.judge.scenarios import SIDES
from hermes_diag.judge.verdicts import cell as judge_cell
from hermes_diag.reporters import matrix_conditions
from hermes_diag.reporters.matrix import numbers
from hermes_diag.reporters.page import compared, gateway_log, looks, measured, watches, words
from hermes_diag.reporters.page.cells import CellView, who, word
from hermes_diag.reporters.page.view import (
    BAD,
    GOOD,
    NOTE,
    PLAIN,
    ROWS,
    SEVERITY,
    STATUS,
    UNSURE,
    Badge,
    Folded,
    Found,
    Judged,
    Link,
    Matrix,
    Page,
    Section,
    Square,
    Step,
    Table,
    badge,
    entries,
)
from hermes_diag.reporters.rows import details, place
from hermes_diag.reporters.style import stack_lines
from hermes_diag.watch.reports import LookReport, TraceReport, WatchReport

#: Links from a finding to turns, cells that a finding names, rows of a table.
LINKS, CELLS, MOST = 4, 24, 400
#: Lifelines of the whole page, unless it has very many cells.
LINES = 1000
#: Cells of a finding that are not folded.
FEW = 3


_WORST = (RowStatus.FAILED, RowStatus.COULD_NOT_TELL, RowStatus.ALLOWED, RowStatus.KNOWN, RowStatus.PASSED)
#: Reports of which each finding is a row.
_TOLD_BY_ROWS = (AuditReport, CheckReport, ScenariosReport, LogReport)


def page(report: Report) -> Page:
    """Everything that the page of a report says."""
    if isinstance(report, WatchReport):
        return watches.page(report.summary, report.picture)
    found = _page(report)
    if isinstance(report, LogReport):
        return gateway_log.of_log(report, found)
    if isinstance(report, ComparedReport):
        parts = compared.headline(report), compared.steps(report), compared.folded(report)
        return replace(_told(found, *parts), matrix=compared.matrix(report), rows=())
    if isinstance(report, LookReport):
        found = replace(found, measured="What it holds")
        if not report.judged:
            found = replace(found, title=f"hermes-diag {report.command}", badge=badge("not judged", PLAIN))
        return _told(found, looks.look_headline(report.look), looks.look_steps(report), looks.of_look(report))
    if isinstance(report, TraceReport):
        kept, found = report.processes, replace(found, measured="What was left open")
        return _told(found, looks.trace_headline(kept), looks.trace_steps(kept), looks.of_trace(kept))
    return found


def _told(found: Page, headline: str, steps: Sequence[Step], folded: Iterable[Folded]) -> Page:
    """A page of one kind of report."""
    return replace(found, headline=headline, steps=steps, folded=tuple(folded))


def _page(report: Report) -> Page:
    run = isinstance(report, RunReport)
    cells = report.cells if isinstance(report, RunReport) else tuple(map(judge_cell, report.evidence))
    pairs = enumerate(zip(cells, report.evidence, strict=False), start=1)
    most = max(10, LINES // max(1, len(cells)))
    views = {one.cell.name: CellView(number, one, seen, most) for number, (one, seen) in pairs}
    return Page(
        title=f"hermes-diag {report.command}: {report.status}",
        command=report.command,
        subject=report.subject,
        badge=badge(report.status, STATUS[report.status]),
        headline=words.headline(report),
        verdict=report.verdict,
        steps=words.steps(report),
        rows=() if run else _rows(report, views),
        found=() if isinstance(report, _TOLD_BY_ROWS) else _found(report, views),
        sections=_sections(report, cells, views),
        claims=_claims(report.claims) if isinstance(report, RunReport) and report.claims else None,
        folded=tuple(_folded(report)),
        notes=_notes(report),
        matrix=_matrix(report, views) if isinstance(report, RunReport) else None,
    )


def _matrix(report: RunReport, views: dict[str, CellView]) -> Matrix:
    """Strategy and end of a turn against workload; the control and the measurements apart."""
    crossed = [one for one in report.cells if one.cell.workload not in (FRESH, MEASURE)]
    columns = list(dict.fromkeys(one.cell.workload for one in crossed))
    lines: dict[str, dict[str, Square]] = {}
    for one in crossed:
        cell = one.cell
        name = ", ".join(filter(None, (" / ".join(filter(None, (cell.strategy, cell.end))), cell.fault, cell.payload)))
        lines.setdefault(name, {})[cell.workload] = _square(one, views, "")
    others = [_square(one, views, one.cell.name) for one in report.cells if one.cell.workload in (FRESH, MEASURE)]
    rows = [(name, [squares.get(column) for column in columns]) for name, squares in lines.items()]
    return Matrix(columns, rows, others)


def _square(one: CellReport, views: dict[str, CellView], name: str) -> Square:
    remark = ""
    if one.word == "no result":
        pass  # nothing was measured that could be as predicted or not
    elif not one.as_expected:
        remark = f"not as predicted: {', '.join(one.flaws) or one.expected}"
    elif one.word != "ok" and one.expected:
        never_closed = one.cell.strategy == "fixed" and one.cell.end == "abandon"
        remark = "its caller never closes" if never_closed else "as the bug report predicts"
    told = [] if one.cell.workload == MEASURE else list(numbers(one))
    anchor = views[one.cell.name].anchor if one.cell.name in views else ""
    names = {FRESH: "fresh process (control)", MEASURE: "measurements"}
    return Square(Link(names.get(name, name), anchor), word(one), remark, told)


def _sections(report: Report, cells: Sequence[CellReport], views: dict[str, CellView]) -> list[Section]:
    found = []
    for one, seen in zip(cells, report.evidence, strict=False):
        facts = list(numbers(one)) if one.cell.workload != MEASURE else []
        facts += measured.facts(seen)
        found.append(views[one.cell.name].section(facts, _judged(report, seen)))
    if found and not any(one.unfolded for one in found):
        found[0] = replace(found[0], unfolded=True)
    return found


def _judged(report: Report, seen: Evidence) -> Badge | None:
    """What a check says of a cell: under a fault turns may fail."""
    if not isinstance(report, CheckReport):
        return None
    statuses = {row.status for row in report.rows if row.kind == "workload" and row.name == workload(seen.cell)}
    worst = next((one for one in _WORST if one in statuses), None)
    return None if worst is None else badge(worst, ROWS[worst])


def _cells_of(row: Row, views: dict[str, CellView]) -> list[Link]:
    """The pictures of the cells that a row is about."""
    if row.kind == "scenario":
        sides = [(side, views.get(f"{row.name}/{side}")) for side in SIDES]
        return [Link(f"the {side} client in pictures", view.anchor) for side, view in sides if view]
    named = [view for view in views.values() if row.kind == "workload" and row.name == workload(view.report.cell)]
    return [Link("in pictures", view.anchor) for view in named]


def _found(report: Report, views: dict[str, CellView]) -> list[Found]:
    """Each code once, with what was seen in each cell; problems first."""
    by_code: dict[str, list[Finding]] = {}
    for one in report.findings:
        by_code.setdefault(one.code, []).append(one)
    found = []
    for code, made in sorted(by_code.items(), key=lambda item: item[1][0].rank):
        first = made[0]
        seen = [(_cell_link(one.where, views), one.summary, _rests_on(one, views)) for one in made[:CELLS]]
        remedy = f"{first.remedy}{units.cited(first.reference)}"
        found.append(
            Found(
                badge(first.severity, SEVERITY[first.severity]),
                code,
                remedy,
                seen[:FEW],
                seen[FEW:],
                len(made) - len(seen),
            )
        )
    return found


def _cell_link(name: str, views: dict[str, CellView]) -> Link:
    return Link(name, views[name].anchor if name in views else "")


def _rests_on(one: Finding, views: dict[str, CellView]) -> list[Link]:
    """The turns of a finding, else the pictures of its cell."""
    view = views.get(one.where)
    if view is None:
        return []
    if not one.turns:
        return [Link(name, anchor) for name, anchor in view.parts()]
    links = [Link(who((turn,)), view.anchor_of(turn)) for turn in one.turns]
    on_page = sorted(links, key=lambda link: not link.anchor)[:LINKS]
    left = len(links) - len(on_page)
    return [*on_page, *([Link(f"{units.count(left, 'more turn')}")] if left else [])]


def _rows(report: Report, views: dict[str, CellView]) -> list[Judged]:
    order = list(ROWS.values())
    ranks = [BAD, UNSURE, NOTE, GOOD, PLAIN]
    assert set(order) <= set(ranks)
    rows = sorted(report.rows, key=lambda row: ranks.index(ROWS[row.status]))
    return [
        Judged(badge(row.status, ROWS[row.status]), _name(row), row.what, _details(report, row), _cells_of(row, views))
        for row in rows[:MOST]
    ]


def _name(row: Row) -> str:
    return f"{row.name} {row.code}" if row.kind == "workload" and row.code else row.name


def _details(report: Report, row: Row) -> list[str]:
    said = list(details(row))
    if isinstance(report, ScenariosReport):
        one = next((one for one in report.scenarios if one.name == row.name), None)
        if one:
            said += [f"bad client: {one.bad or 'nothing'}", f"good client: {one.good or 'nothing'}"]
    return said


def _claims(claims: Sequence[Claim]) -> Table:
    rows = [entries(one.claim, one.status, one.conditions, one.evidence) for one in claims]
    return Table(("claim", "measured", "under which conditions", "evidence"), rows)


def _notes(report: Report) -> list[str]:
    notes = list(report.notes) if isinstance(report, AuditReport | CheckReport) else []
    if isinstance(report, CheckReport):
        notes += [f"better: {name} is in the baseline, and not any more" for name in report.better]
    left = len(report.rows) - MOST
    if left > 0 and not isinstance(report, RunReport):
        notes.append(f"{left:,} more rows are left out.")
    return notes


def _folded(report: Report) -> Iterator[Folded]:
    """Plan and stack."""
    if isinstance(report, RunReport):
        for dump in dump_comparison.of(report):
            groups = (("the same in", dump.same), ("no error in", dump.ok), ("other errors in", dump.other))
            here = [f"here: {said} {', '.join(names)}" for said, names in groups if names]
            yield Folded(f"Request dump {dump.payload}", [f"then: {dump_comparison.words(dump.then)}", *here])
        yield Folded("Plan", table=_plan(report))
        yield Folded("Stack", matrix_conditions.stack(report).plain.splitlines())
        return
    if isinstance(report, CheckReport):
        settings = [f"{name} = {value} (from {source})" for name, value, source in report.settings]
        defined = [f"defined in {place(report)}"] if report.defined else []
        yield Folded("Settings", [*settings, *defined] or ["all as usual"])
    if isinstance(report, AuditReport) and report.client:
        yield Folded("Client", [f"{report.kind}, {'async' if report.is_async else 'sync'} {report.client}"])
    if isinstance(report, AuditReport) and report.frames:
        yield Folded("Where it stood, innermost frame first", report.frames)
    yield Folded("Stack", stack_lines(report))


def _plan(report: RunReport) -> Table:
    rows = [
        entries(
            one.cell.name,
            f"{one.cell.sessions:,}",
            f"{one.cell.turns:,}",
            one.cell.scope,
            f"{one.cell.retries:,}",
            f"{one.cell.timeout:g} s",
            one.expected or "nothing",
        )
        for one in report.cells[:MOST]
    ]
    return Table(("cell", "sessions", "turns", "one client_kwargs for each", "retries", "timeout", "predicted"), rows)
