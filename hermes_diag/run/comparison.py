"""Captures side by side: before and after a fix, one release and the next. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields

from hermes_diag.core.errors import UsageError
from hermes_diag.core.plan import MEASURE
from hermes_diag.core.report import CellReport, Change, ComparedReport, Report, Row, RunReport, Seen
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.watch.reports import LookReport, TraceReport

#: In the order in which they are told.
WORDS = ("worse", "fixed", "differs", "not told", "only in some", "same")
_BAD = (RowStatus.FAILED, RowStatus.KNOWN, RowStatus.ALLOWED)
#: What is counted, and differs when the count does. The texts of other rows hold times.
_EXACT = ("cell", "sockets", "process", "left open")
#: The numbers of a row that count how bad it is.
_COUNTS = ("attempts", "last", "value")
#: Of what is not told of these it is known that there was none.
_THERE = ("left open", "number")
#: Of the stack, what may differ without a word.
_OF_A_RUN = ("protocol", "import_ms")


def of(names: Sequence[str], reports: Sequence[Report]) -> ComparedReport:
    """Two reports or more, of the same kind. Raises UsageError for kinds that have nothing in common."""
    if len({(type(one), one.command) for one in reports}) > 1:
        named = " and ".join(f"{name} of `{one.command}`" for name, one in zip(names, reports, strict=True))
        raise UsageError(f"these cannot be compared: {named}", "name captures of one kind")
    tables = [_table(one) for one in reports]
    keys = dict.fromkeys(key for table in tables for key in table)
    changes = [_change(*key, tuple(table.get(key) for table in tables)) for key in keys]
    changes.sort(key=lambda one: WORDS.index(one.word))
    verdict, status = _verdict(names, reports, changes)
    return ComparedReport(
        command="report",
        subject=" against ".join((names[-1], names[0])) if len(names) == 2 else ", ".join(names),
        status=status,
        verdict=verdict,
        stack=None,
        rows=tuple(_row(names, one) for one in changes),
        names=tuple(names),
        verdicts=tuple(one.verdict for one in reports),
        changes=tuple(changes),
        others=tuple(_others(reports)),
    )


def _table(report: Report) -> dict[tuple[str, str], Seen]:
    """What a report has of each thing: (kind, name) -> what was seen."""
    if isinstance(report, LookReport):
        return dict(_of_look(report))
    if isinstance(report, TraceReport):
        return dict(_of_trace(report))
    cells = {one.cell.name: one for one in report.cells} if isinstance(report, RunReport) else {}
    found: dict[tuple[str, str], Seen] = {}
    for row in report.rows:
        text = _cell(cells[row.name]) if row.name in cells else row.seen
        new = Seen(row.status, row.code if row.status in _BAD else "", text, _bad(row, cells.get(row.name)))
        old = found.get((row.kind, row.name))
        if old is None or (new.status in _BAD and old.status not in _BAD):
            found[row.kind, row.name] = new
        elif new.status in _BAD:  # a workload with several problems has a row for each
            codes = ", ".join(sorted({old.code, new.code} - {""}))
            found[row.kind, row.name] = Seen(old.status, codes, f"{old.text}; {new.text}", old.bad)
    return found


def _bad(row: Row, cell: CellReport | None) -> tuple[float, float] | None:
    """How bad a row is: of a watch the rate of its growth with its interval, else a count, a little more or less."""
    if cell:
        return _about(sum(cell.errors.values()) + (cell.close_wait_left or 0))
    if "low" in row.numbers:
        return row.numbers["low"], row.numbers["high"]
    if row.kind == "number":
        return (0.0, 0.0) if row.status is RowStatus.PASSED else None
    counts = [row.numbers[name] for name in _COUNTS if name in row.numbers]
    return _about(max(counts)) if counts else None


def _about(count: float) -> tuple[float, float]:
    """So much more or less may come of chance."""
    return count - max(2.0, count / 8), count + max(2.0, count / 8)


def _cell(one: CellReport) -> str:
    if one.missing:
        return one.missing
    left = "" if one.close_wait_left is None else f", CLOSE_WAIT {one.close_wait_left} at the end"
    codes = ", ".join(dict.fromkeys(found.code for found in one.findings if found.severity == "problem"))
    well = (
        f"{one.ok + one.interrupted} of {one.attempts} turns ended well" if one.cell.workload != MEASURE else "measured"
    )
    return f"{one.word}: {well}{left}{f'; {codes}' if codes else ''}"


def _of_look(report: LookReport) -> Iterator[tuple[tuple[str, str], Seen]]:
    look = report.look
    for state, count in sorted(Counter(row.state for row in look.rows).items()):
        yield ("sockets", state), Seen(RowStatus.NOTED, "", f"{count:,}")
    for name in ("fds", "threads"):
        values = [getattr(one, name) for one in look.processes]
        yield ("process", name), Seen(RowStatus.NOTED, "", "unknown" if None in values else f"{sum(values):,}")
    for row in report.rows:
        yield (row.kind, row.name), Seen(row.status, "", row.seen)


def _of_trace(report: TraceReport) -> Iterator[tuple[tuple[str, str], Seen]]:
    """By the line that opened what was left: process numbers differ from run to run."""
    left = Counter((kept.kind, kept.opened.place) for one in report.processes for kept in one.kept)
    for (kind, place), count in left.most_common():
        yield (
            ("left open", f"{kind} opened at {place}"),
            Seen(RowStatus.FAILED, kind, f"{count:,} left open", _about(count)),
        )


def _change(kind: str, name: str, seen: tuple[Seen | None, ...]) -> Change:
    first, last = seen[0], seen[-1]
    if kind in _THERE and (first is None or last is None):  # nothing was left open there, or the number was 0
        there = last or first
        failing = there is not None and (there.status in _BAD or (there.bad or (0, 0))[0] > 0)
        word = ("worse" if first is None else "fixed") if failing else "only in some"
    elif first is None or last is None:
        word = "only in some"
    else:
        word = _word(kind, first, last)
    return Change(kind, name, word, seen)


def _word(kind: str, first: Seen, last: Seen) -> str:
    if (last.status in _BAD) != (first.status in _BAD):
        if last.status in _BAD:
            return "worse"
        return "not told" if last.status is RowStatus.COULD_NOT_TELL else "fixed"
    if RowStatus.COULD_NOT_TELL in (first.status, last.status) and first.status != last.status:
        return "not told"
    if first.bad and last.bad and last.bad[0] > first.bad[1]:
        return "worse"
    if first.bad and last.bad and last.bad[1] < first.bad[0]:
        return "fixed" if kind == "number" and last.bad[1] <= 0 else "differs"
    alike = (first.status, first.code) == (last.status, last.code)
    return "same" if alike and (kind not in _EXACT or first.text == last.text) else "differs"


def _verdict(names: Sequence[str], reports: Sequence[Report], changes: Sequence[Change]) -> tuple[str, Status]:
    counts = Counter(one.word for one in changes)
    said = [f"{counts[word]} {word}" for word in WORDS if counts[word]]
    if still := sum(one.still_failing for one in changes):
        said.append(f"{still} failing in both" if len(names) == 2 else f"{still} failing in the first and the last")
    told = f"{names[-1]} against {names[0]}: {', '.join(said) or 'nothing to compare'}"
    if counts["worse"]:
        worse = ", ".join(one.name for one in changes if one.word == "worse")
        return f"{told}; worse: {worse}", Status.FAILING
    if not changes or len(changes) == counts["only in some"] or counts["not told"]:
        return told, Status.COULD_NOT_TELL
    return told, Status.CLEAN


def _row(names: Sequence[str], change: Change) -> Row:
    """For the formats that know rows only."""
    statuses = {
        "worse": RowStatus.FAILED,
        "fixed": RowStatus.PASSED,
        "not told": RowStatus.COULD_NOT_TELL,
        "same": RowStatus.PASSED,
    }
    seen = "; ".join(
        f"{name}: {one.text if one else 'not there'}" for name, one in zip(names, change.seen, strict=True)
    )
    status = statuses.get(change.word, RowStatus.NOTED)
    if change.still_failing and status is not RowStatus.FAILED:
        status = RowStatus.KNOWN
    code = next((one.code for one in reversed(change.seen) if one and one.code), "")
    return Row(change.kind, change.name, code if change.word == "worse" else "", change.word, status, seen)


def _others(reports: Sequence[Report]) -> Iterable[str]:
    """What else is not the same: the releases that were put to the test."""
    stacks = [one.stack for one in reports]
    if any(stack is None for stack in stacks):
        return
    for field in fields(stacks[0]):  # type: ignore[arg-type]
        values = [str(getattr(stack, field.name)) for stack in stacks]
        if len(set(values)) > 1 and field.name not in _OF_A_RUN:
            yield f"{field.name.replace('_', ' ')}: {' -> '.join(value or 'none' for value in values)}"
