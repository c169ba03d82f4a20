"""A matrix of cells for people: what happened in each, why, and the verdict.

Readable at 60 columns, without colour, in a pipe. By default at most 70 lines of 80 columns for the whole
plan of `repro`; -v adds a row for each turn, the conditions of claims, and every cell of a finding.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hermes_diag.core import units
from hermes_diag.core.plan import FRESH, MEASURE, STARVED
from hermes_diag.core.report import UNTOLD, CellReport, Claim, Finding, Left, RunReport
from hermes_diag.core.status import Status
from hermes_diag.judge import dump_comparison
from hermes_diag.reporters import matrix_conditions, matrix_turns, style
from hermes_diag.reporters.matrix_picture import Picture
from hermes_diag.reporters.style import VERY_WIDE, WIDE, heading, indented

_STYLES = {
    "ok": style.GOOD,
    "too short": style.UNSURE,
    "no result": style.UNSURE,
    "problem": "red",
    "cause": style.UNSURE,
    UNTOLD: style.UNSURE,
    "note": style.TITLE,
}
_ABANDON = "abandon: the caller never closes its clients, which no factory can put right"
_TRIED = {
    "repro": "Is the bug report hermes-agent #11070 true, and does its fix hold?",
    "replay": "What do the clients of {subject} do under the load of a gateway?",
    "hermes": "What does the real Hermes Agent leave behind?",
    "live": "Does it happen on the real endpoint?",
}


def render(report: RunReport, width: int, verbose: bool = False) -> RenderableType:
    """The whole report for so many columns."""
    parts: list[RenderableType] = [Text(_tried(report), style=style.TITLE), matrix(report, width)]
    if verbose:
        parts += [heading("Turns"), *matrix_turns.turns(report.evidence, width)]
    parts += _dumps(report)
    if report.claims:
        parts += [heading("What the bug report claims"), _claims(report.claims, width, verbose)]
    parts += [heading("Findings"), *_findings(report, verbose)]
    parts += [heading("Stack"), matrix_conditions.stack(report), Picture(report)]
    parts += [heading("Verdict"), style.verdict(report)]
    return Group(*parts)


def _tried(report: RunReport) -> str:
    """One sentence on what was tried."""
    cells = [one for one in report.cells if one.cell.workload not in (FRESH, MEASURE)]
    counted = units.count(len(cells), "cell")
    control = " and a control" if any(one.cell.workload == FRESH for one in report.cells) else ""
    return f"{_TRIED[report.command].format(subject=report.subject)} Tried in {counted}{control}, on real sockets."


def matrix(report: RunReport, width: int) -> RenderableType:
    """Strategy and end of a turn against workload; the control below."""
    single = [cell for cell in report.cells if cell.cell.workload == FRESH]
    crossed = [cell for cell in report.cells if cell.cell.workload not in (FRESH, MEASURE)]
    legend = Text("ok: turns answered, or interrupted as planned; CLOSE_WAIT: sockets at most / at the end")
    if any(one.cell.strategy == "fixed" and one.cell.end == "abandon" for one in crossed):
        legend.append(f"\n{_ABANDON}")
    if width < WIDE:
        return Group(*map(_line, (*crossed, *single)), legend)
    workloads = list(dict.fromkeys(cell.cell.workload for cell in crossed))
    cells = {(*_row(cell), cell.cell.workload): cell for cell in crossed}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for workload in workloads:
        table.add_column(workload)
    for row in dict.fromkeys(map(_row, crossed)):
        strategy, end, fault, payload = row
        name = "\n".join(filter(None, (" / ".join(filter(None, (strategy, end))), fault, _short(payload))))
        table.add_row(name, *(_cell(cells[(*row, one)]) if (*row, one) in cells else Text() for one in workloads))
    return Group(table, *map(_line, single), legend)


def _row(cell: CellReport) -> tuple[str, str, str, str]:
    plan = cell.cell
    api = plan.hermes.api if plan.hermes else ""
    return " / ".join(filter(None, (plan.strategy, api))), plan.end, plan.fault, plan.payload


def _short(source: str) -> str:
    """A payload's name in a narrow column: of a request dump the end tells which."""
    return source if len(source) <= 24 else "..." + source.removesuffix(".json")[-21:]


def _line(cell: CellReport) -> RenderableType:
    control = f"fresh process (control) {_short(cell.cell.payload)}".rstrip()
    name = control if cell.cell.workload == FRESH else cell.cell.name
    return Group(Text.assemble((name, style.TITLE), "  ", _word(cell)), indented(["; ".join(numbers(cell))]))


def _cell(cell: CellReport) -> Text:
    return Text("\n").join([_word(cell), *map(Text, numbers(cell))])


def _word(cell: CellReport) -> Text:
    text = Text(cell.word, style=_STYLES.get(cell.word, "red"))
    if cell.word == "no result":
        return text  # nothing was measured that could be as predicted or not
    if not cell.as_expected:
        text.append(f", NOT AS PREDICTED: {', '.join(cell.flaws) or cell.expected}", style=style.BAD)
    elif cell.word != "ok" and cell.expected:
        never_closed = cell.cell.strategy == "fixed" and cell.cell.end == "abandon"
        text.append(", never closed" if never_closed else ", as reported", style="default")
    return text


def numbers(cell: CellReport) -> Iterator[str]:
    untold = cell.word == "no result"
    if untold:
        yield cell.missing
        if not cell.attempts:
            return
    yield f"{cell.ok + cell.interrupted}/{cell.attempts} ok{' until then' if untold else ''}"
    if cell.cell.workload == STARVED and cell.ok:
        yield "ok: the last one, which alone the provider answers"
    if cell.missed:
        yield f"{cell.missed} without a result: over before {'it was' if cell.missed == 1 else 'they were'} given up"
    if cell.close_wait_peak:
        yield f"CLOSE_WAIT {cell.close_wait_peak}/{cell.close_wait_left}"
    if cell.compared:
        yield cell.compared
    for name, count in cell.errors.items():
        yield f"{name} x{count}"
    if cell.retries_made:
        yield f"{cell.retries_helped} of {cell.retries_made} retries helped"
    if cell.left is not None:
        yield from _left(cell, cell.left)


def _left(cell: CellReport, left: Left) -> Iterator[str]:
    """What Hermes has left behind in the last idle gap, and of that what was there after its agents were closed."""
    posts = "POSTs not counted" if left.posts is None else units.count(left.posts, "POST")
    yield f"{posts} for {units.count(cell.attempts + cell.missed, 'attempt')}"
    yield f"left: {_counted(left)}"
    if cell.left_at_end is not None and _counted(cell.left_at_end) != _counted(left):
        yield f"after close: {_counted(cell.left_at_end)}"
    elif cell.left_at_end is not None and left.anything:
        yield "after close: the same"


def _counted(left: Left) -> str:
    """All counts that are not zero."""
    counts = {
        "CLOSE_WAIT": left.close_wait,
        "ESTABLISHED": left.established,
        "without owner": left.ownerless,
        "reset": left.reset,
        "threads": left.threads,
        "fds": left.fds,
    }
    said = [f"{name} {'not seen' if count is None else f'{count:+}'}" for name, count in counts.items() if count != 0]
    fewer = any(count is not None and count < 0 for count in counts.values())
    moved = max(left.close_wait or 0, left.established or 0, left.reset or 0) if not left.anything else 0
    other = f"nothing more, {units.count(moved, 'socket')} in another state: " if moved > 0 else ""
    return other + (", ".join(said) or "nothing") + (" (-: fewer than after the warm-up)" if fewer else "")


def _dumps(report: RunReport) -> Iterator[RenderableType]:
    """What each request dump says happened, and in which cells it happened here."""
    found = dump_comparison.of(report)
    if found:
        yield heading("What the request dump says, and what happened here")
    for dump in found:
        written = ", ".join(filter(None, (dump.then.at, dump.then.reason)))
        yield Text.assemble((dump.payload, style.TITLE), f"  {written}" if written else "")
        groups = (("the same in", dump.same), ("no error in", dump.ok), ("other errors in", dump.other))
        here = [f"here: {words} {', '.join(names)}" for words, names in groups if names]
        yield indented([f"then: {dump_comparison.words(dump.then)}", *here])


def _claims(claims: tuple[Claim, ...], width: int, verbose: bool) -> RenderableType:
    if not verbose:
        return Group(*(Text(f"  {claim.status:<15} {claim.claim}") for claim in claims))
    if width < VERY_WIDE:
        parts: list[RenderableType] = []
        for claim in claims:
            parts.append(Text.assemble((claim.claim, style.TITLE), f": {claim.status}"))
            parts.append(indented(filter(None, (claim.conditions, claim.evidence))))
        return Group(*parts)
    table = Table(box=box.SIMPLE_HEAD, show_lines=True, pad_edge=False)
    for name, ratio in (("claim", 4), ("measured", 2), ("under which conditions", 4), ("evidence", 7)):
        table.add_column(name, ratio=ratio)
    for claim in claims:
        table.add_row(claim.claim, claim.status, claim.conditions, claim.evidence)
    return table


def _findings(report: RunReport, verbose: bool) -> Iterator[RenderableType]:
    """Each finding once, of several cells with what the first shows; with a remedy where the run found a problem."""
    by_code: dict[str, list[tuple[CellReport, Finding]]] = {}
    for cell in report.cells:
        for finding in cell.findings:
            by_code.setdefault(finding.code, []).append((cell, finding))
    if not by_code:
        yield Text("none")
    others: list[str] = []
    for code, made in sorted(by_code.items(), key=lambda item: item[1][0][1].rank):
        first = made[0][1]
        head = Text.assemble((first.severity, _STYLES[first.severity]), " ", (code, style.TITLE))
        remedy = [f"Remedy: {first.remedy}{units.cited(first.reference)}"]
        if verbose:
            yield head
            yield indented([*(f"{cell.cell.name}: {finding.summary}" for cell, finding in made), *remedy])
            continue
        place = made[0][0].cell.name
        where = place if len(made) == 1 else f"{len(made)} cells"
        unjudged = first.severity == UNTOLD
        if first.severity != "problem" and report.status != Status.FAILING and not unjudged:
            others.append(f"{code} in {where}")
            continue
        yield head.append(f" in {where if len(made) == 1 else f'{where}, in {place}'}: {first.summary}")
        if unjudged or (report.status == Status.FAILING and first.severity == "problem"):
            yield indented(remedy)
    if others:
        yield Text(f"with it (-v): {', '.join(others)}")
    yield from _stacks(report.cells)


def _stacks(cells: tuple[CellReport, ...]) -> Iterator[RenderableType]:
    for cell in cells:
        if cell.outcome.how == "hung":
            yield Text(f"stacks of {cell.cell.name}, innermost frame first", style=style.TITLE)
            yield indented(cell.outcome.frames)
