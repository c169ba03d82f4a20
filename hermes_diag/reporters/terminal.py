"""A Report for people: rich renderables that stay readable at 60 columns, without colour, in a pipe."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import FRESH, MEASURE, Cell
from hermes_diag.core.report import CellReport, Claim, Finding, Left, Report
from hermes_diag.judge import causes, dump_comparison
from hermes_diag.worker.contract import HERMES, Hello, TurnDone

#: Columns from which on the matrix has its two dimensions, and the claims are a table; below, lists.
WIDE, VERY_WIDE = 76, 110

LEGEND = "ok: attempts answered or interrupted as planned; CLOSE_WAIT: peak/left, counted from outside"

#: Cells named under a finding unless -v asks for all.
FEW = 3

_STYLES = {
    "ok": "green",
    "too short": "yellow",
    "no result": "yellow",
    "reproduced": "bold",
    "partly": "bold",
    "problem": "red",
    "cause": "yellow",
    "note": "cyan",
}


class _Console(Console):
    def on_broken_pipe(self) -> None:
        # rich would leave with exit code 1, which in this program is a verdict.
        raise BrokenPipeError


def console(width: int | None = None) -> Console:
    """A console for stdout: rich heeds NO_COLOR, TERM=dumb and pipes by itself."""
    # COLUMNS=0 would print nothing at all.
    columns = os.environ.get("COLUMNS", "")
    width = width or (80 if columns == "0" else None)
    return _Console(width=width, highlight=False, soft_wrap=False)


def render(report: Report, width: int, verbose: bool = False) -> RenderableType:
    """The whole report for so many columns."""
    parts: list[RenderableType] = [_heading("What happened"), matrix(report, width)]
    if verbose:
        parts += [_heading("Turns"), *_turns(report.evidence, width)]
    parts += _then_and_here(report)
    if report.claims:
        parts += [_heading("The report's claims"), _claims(report.claims, width)]
    parts += [_heading("Findings"), *_findings(report.cells, None if verbose else FEW)]
    parts += [_heading("Stack"), _stack(report), _heading("Verdict"), verdict(report.verdict, report.exit_code)]
    return Group(*parts)


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def matrix(report: Report, width: int) -> RenderableType:
    """strategy x end of a turn against workload; the control below."""
    single = [cell for cell in report.cells if cell.cell.workload in (FRESH,)]
    crossed = [cell for cell in report.cells if cell.cell.workload not in (FRESH, MEASURE)]
    if width < WIDE:
        return Group(*(_line(cell) for cell in (*crossed, *single)), Text(LEGEND, style="dim"))
    workloads = list(dict.fromkeys(cell.cell.workload for cell in crossed))
    rows = list(dict.fromkeys(map(_row, crossed)))
    cells = {(*_row(cell), cell.cell.workload): cell for cell in crossed}
    table = Table(box=box.SIMPLE_HEAD, show_lines=True, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for workload in workloads:
        table.add_column(workload)
    for row in rows:
        strategy, end, fault, payload = row
        name = "\n".join(filter(None, (" / ".join(filter(None, (strategy, end))), fault, _short(payload))))
        own = (cells.get((*row, workload)) for workload in workloads)
        table.add_row(name, *(_cell(one) if one else Text() for one in own))
    return Group(table, *(_line(cell) for cell in single), Text(LEGEND, style="dim"))


def _row(cell: CellReport) -> tuple[str, str, str, str]:
    return cell.cell.strategy, cell.cell.end, cell.cell.fault, cell.cell.payload


def _short(source: str) -> str:
    """A payload's name in a narrow column: of a request dump the end tells which."""
    return source if len(source) <= 24 else "..." + source.removesuffix(".json")[-21:]


def _line(cell: CellReport) -> RenderableType:
    numbers = Text("; ".join(_numbers(cell)))
    control = f"fresh process (control) {_short(cell.cell.payload)}".rstrip()
    name = control if cell.cell.workload == FRESH else cell.cell.name
    return Group(Text.assemble((name, "bold"), "  ", _word(cell)), Padding(numbers, (0, 0, 0, 2), expand=False))


def _cell(cell: CellReport) -> Text:
    return Text("\n").join([_word(cell), *(Text(line) for line in _numbers(cell))])


def _word(cell: CellReport) -> Text:
    text = Text(cell.word, style=_STYLES.get(cell.word, "red"))
    if not cell.as_expected:
        wrong = f", NOT AS PREDICTED: {', '.join(cell.flaws) or cell.expected}"
        text.append(wrong, style="bold red")
    elif cell.word != "ok" and cell.expected:
        text.append(", as predicted", style="default")
    return text


def _numbers(cell: CellReport) -> Iterator[str]:
    if cell.word == "no result":
        yield cell.missing
        return
    yield f"{cell.ok + cell.interrupted}/{cell.attempts} ok"
    for name, count in cell.errors.items():
        yield f"{name} x{count}"
    if cell.retries_made:
        yield f"{cell.retries_helped} of {cell.retries_made} retries helped"
    if cell.close_wait_peak is not None:
        yield f"CLOSE_WAIT {cell.close_wait_peak}/{cell.close_wait_left}"
    if cell.left is not None:
        yield from _left(cell, cell.left)


def _left(cell: CellReport, left: Left) -> Iterator[str]:
    """What Hermes has left behind in the last idle gap, and of that what was there after its agents were closed."""
    yield f"{left.posts} POSTs for {cell.attempts} attempts"
    yield f"left: {_counted(left)}"
    if cell.left_at_end is not None and _counted(cell.left_at_end) != _counted(left):
        yield f"after close: {_counted(cell.left_at_end)}"


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
    return ", ".join(said) or "nothing"


def _then_and_here(report: Report) -> Iterator[RenderableType]:
    """What each request dump says happened, and in which cells it happened here."""
    found = dump_comparison.of(report)
    if found:
        yield _heading("Then and here")
    for one in found:
        written = ", ".join(filter(None, (one.then.at, one.then.reason)))
        yield Text.assemble((one.payload, "bold"), f"  {written}" if written else "")
        groups = (("the same in", one.same), ("no error in", one.ok), ("other errors in", one.other))
        here = [f"here: {words} {', '.join(names)}" for words, names in groups if names]
        yield Padding(Text("\n".join([f"then: {dump_comparison.words(one.then)}", *here])), (0, 0, 0, 2), expand=False)


def _claims(claims: tuple[Claim, ...], width: int) -> RenderableType:
    if width < VERY_WIDE:
        return Group(
            *(
                Group(
                    Text.assemble((claim.claim, "bold"), ": ", _status(claim)),
                    Padding(
                        Text("\n".join(filter(None, (claim.conditions, claim.evidence)))), (0, 0, 0, 2), expand=False
                    ),
                )
                for claim in claims
            )
        )
    table = Table(box=box.SIMPLE_HEAD, show_lines=True, pad_edge=False)
    for name, ratio in (("claim", 4), ("measured", 2), ("under which conditions", 4), ("evidence", 7)):
        table.add_column(name, ratio=ratio)
    for claim in claims:
        table.add_row(claim.claim, _status(claim), claim.conditions, claim.evidence)
    return table


def _status(claim: Claim) -> Text:
    return Text(claim.status, style=_STYLES.get(claim.status, ""))


def _findings(cells: tuple[CellReport, ...], most: int | None) -> Iterator[RenderableType]:
    """Each finding once, with at most so many of the cells in which it was made."""
    by_code: dict[str, list[tuple[CellReport, Finding]]] = {}
    for cell in cells:
        for finding in cell.findings:
            by_code.setdefault(finding.code, []).append((cell, finding))
    if not by_code:
        yield Text("none")
    order = {"problem": 0, "cause": 1, "note": 2}
    for code, made in sorted(by_code.items(), key=lambda item: order[item[1][0][1].severity]):
        first = made[0][1]
        yield Text.assemble((first.severity, _STYLES[first.severity]), " ", (code, "bold"))
        body = [f"{cell.cell.name}: {finding.summary}" for cell, finding in made[:most]]
        if len(made) > len(body):
            body.append(f"and in {len(made) - len(body)} more cells (-v)")
        remedy = f"Remedy: {first.remedy}{units.cited(first.reference)}"
        yield Padding(Text("\n".join([*body, remedy])), (0, 0, 0, 2), expand=False)
    for cell in cells:
        if cell.outcome.how == "hung":
            yield Text(f"stacks of {cell.cell.name}, innermost frame first", style="bold")
            yield Padding(Text("\n".join(cell.outcome.frames)), (0, 0, 0, 2), expand=False)


def _turns(evidence: tuple[Evidence, ...], width: int) -> Iterator[RenderableType]:
    """A table of attempts for each cell; where there is no room for columns, a line for each."""
    for one in evidence:
        if not one.turns:
            continue
        sent = {served.turn: str(served.events) for served in one.served}
        rows = [(turn, sent.get(causes.name(turn), "-"), _outcome(turn)) for turn in one.turns]
        if width < WIDE:
            yield Text(one.cell.name, style="bold")
            for turn, events, outcome in rows:
                yield Text(f"{causes.name(turn)}  {turn.ms:.1f} ms, {turn.events} of {events} events: {outcome}")
            continue
        title = f"{one.cell.name} (turn: session/turn/attempt; events sent by the provider, read by the client)"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("turn", no_wrap=True)
        for name in ("ms", "sent", "read", "pool"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("outcome", overflow="fold")
        for turn, events, outcome in rows:
            table.add_row(
                causes.name(turn), f"{turn.ms:.1f}", events, str(turn.events), f"#{turn.http_client}", outcome
            )
        yield table


def _outcome(turn: TurnDone) -> str:
    return f"{causes.of(turn)}: {' <- '.join(turn.chain)}" if turn.outcome == "error" else turn.outcome


def _stack(report: Report) -> Text:
    stack = report.stack
    if stack is None:
        return Text("none: no worker said what it runs on")
    hermes = f"Hermes Agent {stack.hermes}, " if _hermes(report) else ""
    return Text(
        f"{hermes}{stack_line(stack)}\n"
        + "".join(f"endpoint: {text}\n" for text in _endpoints(report))
        + "\n".join(
            f"payload: {one.source} ({one.kind}, {one.api} API, {one.size} bytes)" for one in report.plan.payloads
        )
        + "".join(f"\n{line}" for line in _conditions(report))
    )


def _endpoints(report: Report) -> Iterator[str]:
    """Where the requests of a live replay went, and how many."""
    for endpoint in dict.fromkeys(one.cell.endpoint for one in report.cells if one.cell.endpoint):
        sent = sum(
            one.value
            for seen in report.evidence
            if seen.cell.endpoint == endpoint
            for one in seen.measured
            if one.name == "requests"
        )
        yield f"POST {endpoint}, {sent:.0f} requests attempted"


def stack_line(stack: Hello) -> str:
    """What was put to the test, by release."""
    return f"{stack.python}, openai {stack.openai}, {stack.http}, {stack.core}, h11 {stack.h11}, {stack.system}"


def verdict(text: str, exit_code: int) -> Text:
    """A verdict in the colour of its exit code."""
    return Text(text, style={0: "bold green", 1: "bold red"}.get(exit_code, "bold yellow"))


def _hermes(report: Report) -> list[Evidence]:
    return [one for one in report.evidence if one.cell.strategy == HERMES]


def _conditions(report: Report) -> Iterator[str]:
    """What was not as in a user's gateway, and what Hermes wanted to do and was not let."""
    by_line: dict[str, list[str]] = {}
    for one in _hermes(report):
        by_line.setdefault(_changed_for(one.cell), []).append(one.cell.name)
    for line, names in by_line.items():
        yield f"{', '.join(names)}: {line}"
    refused = Counter[str]()
    for one in _hermes(report):
        refused.update({m.unit: int(m.value) for m in one.measured if m.name.startswith("refused_")})
    if refused:
        yield "refused to Hermes: " + ", ".join(f"{count} {unit}" for unit, count in refused.items())


def _changed_for(cell: Cell) -> str:
    """What was not as in a user's gateway, for the report."""
    settings = cell.hermes
    if settings is None:
        return ""
    said = [f"waits between retries cut to {settings.backoff:g} s in the worker's memory"]
    if settings.watchdog is not None:
        said.append(f"its watchdogs set to {settings.watchdog:g} s by its environment variables")
    if settings.retries is not None:
        said.append(f"api_max_retries {settings.retries} in its config.yaml")
    if settings.mutate:
        said.append("the mutation of #10933 put back in the worker's memory")
    return "; ".join(said)
