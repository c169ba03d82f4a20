"""What the pages of a single look and of a trace say: sockets by endpoint, and what was left open by line of code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from hermes_diag.core import units
from hermes_diag.core.sockets import CLOSE_WAIT
from hermes_diag.reporters import sockets_look, sockets_text
from hermes_diag.reporters.page.view import Folded, Step, Table, entries
from hermes_diag.watch import explain, filters
from hermes_diag.watch.opened import Remains
from hermes_diag.watch.records import Look
from hermes_diag.watch.reports import LookReport

#: Rows of a table, lines of code that are named.
ROWS, LINES = 200, 5
#: Of what is shown as a terminal shows it.
COLUMNS = 100


# --- a look ------------------------------------------------------------------------------------------


def look_headline(seen: Look) -> str:
    """What there is, in one sentence: one look accuses nobody."""
    left = sum(row.state == CLOSE_WAIT for row in seen.rows)
    told = f", {left:,} of them closed by the other side alone" if left else ""
    return f"One look: the process has {units.count(len(seen.rows), 'TCP socket') if seen.rows else 'no socket'}{told}."


def look_steps(report: LookReport) -> tuple[Step, ...]:
    pid = report.look.processes[0].pid
    watch = Step(f"One look cannot tell growth: hermes-diag sockets {pid} --watch --duration 10m")
    return (watch, Step(report.hint)) if report.hint else (watch,)


def of_look(report: LookReport) -> Iterator[Folded]:
    """What a terminal shows, with openers and explanations; then its processes, its sockets by endpoint and state, and
    one by one, the worst first."""
    seen = report.look
    shown = sockets_text.painted(sockets_look.lines(report, COLUMNS, verbose=False), colour=False)
    yield Folded("As a terminal shows it", text=shown, unfolded=True)
    rows = [
        entries(str(one.pid), one.name, *("not known" if it is None else f"{it:,}" for it in (one.fds, one.soft_limit)))
        for one in seen.processes[:ROWS]
    ]
    yield Folded("Processes", table=Table(("PID", "name", "descriptors", "soft limit"), rows), unfolded=True)
    counts = Counter((filters.of(row, seen.listening), row.state) for row in seen.rows)
    grouped = [entries(name, state, f"{count:,}") for (name, state), count in counts.most_common(ROWS)]
    together = Table(("endpoint", "state", "sockets"), grouped, _left(len(counts)))
    yield Folded("Sockets by endpoint", table=together, unfolded=True)
    worst = sorted(seen.rows, key=explain.badness, reverse=True)[:ROWS]
    single = [
        entries(row.state, filters.text(row.local), filters.text(row.remote), "" if row.fd is None else str(row.fd))
        for row in worst
    ]
    head = ("state", "local", "remote", "descriptor")
    yield Folded("Sockets one by one", table=Table(head, single, _left(len(seen.rows))))
    missing = [f"Not seen: {one.what}. Why: {one.why}. Cure: {one.cure}." for one in seen.missing]
    yield Folded("How it was seen", [f"seen by {seen.backend} ({seen.why})", *missing])


# --- a trace -----------------------------------------------------------------------------------------


def trace_headline(processes: Sequence[Remains]) -> str:
    left = sum(len(one.kept) for one in processes)
    if left:
        count = units.count(left, "descriptor")
        return f"{count} open until now." if _run_on(processes) else f"The program left {count} open."
    return "Nothing was left open." if all(one.looked for one in processes) else "What was left open is not known."


def _run_on(processes: Iterable[Remains]) -> bool:
    return any(one.how == "running" for one in processes)


def trace_steps(processes: Sequence[Remains]) -> tuple[Step, ...]:
    """The lines that left the most."""
    places = Counter(kept.opened.place for one in processes for kept in one.kept)
    return tuple(
        Step(f"Close what is opened at {place}.", f"{count:,} of {places.total():,} that are still open")
        for place, count in places.most_common(LINES)
    ) or (Step("Nothing has to be put right."),)


def of_trace(processes: Sequence[Remains]) -> Iterator[Folded]:
    """What each process left, by kind, name and line."""
    for one in processes:
        name = f"Process {one.pid}" + (f", {one.program}" if one.program else "")
        if not one.kept:
            yield Folded(name, [one.how, *one.notes])
            continue
        rows = [entries(kept.kind, str(kept.fd), kept.name, kept.opened.place) for kept in one.kept[:ROWS]]
        head = ("kind", "descriptor", "name", "opened at")
        yield Folded(name, one.notes, table=Table(head, rows, _left(len(one.kept))), unfolded=True)


def _left(rows: int) -> str:
    return f"{rows - ROWS:,} more rows are left out." if rows > ROWS else ""
