"""What was seen of live processes as the report that every format takes: a look, a watch, a trace. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hermes_diag.core.errors import COULD_NOT_MEASURE, OK, PROBLEM
from hermes_diag.core.peaks import Peaks
from hermes_diag.core.report import Finding, Report, Row
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.watch.attached import Attached
from hermes_diag.watch.opened import Origins, Remains
from hermes_diag.watch.picture import Picture
from hermes_diag.watch.records import Course, Held, Look, Summary
from hermes_diag.watch.trend import GROWING, TOO_SHORT, UNKNOWN

if TYPE_CHECKING:
    from hermes_diag.watch.timeline import Timeline


@dataclass(frozen=True, kw_only=True)
class LookReport(Report):
    """One look. names: of addresses, where they were asked for. origins: what recorders say. attached: what the process
    itself says. hint: what would tell more."""

    look: Look
    held: tuple[Held, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    origins: Origins | None = None
    attached: Attached | None = None
    group_by: str = "remote"
    hint: str = ""

    @property
    def judged(self) -> bool:
        """Whether a condition was set: one look without any says what is there, and not whether it grows."""
        return bool(self.held)


@dataclass(frozen=True, kw_only=True)
class WatchReport(Report):
    """A watch from its begin to its end. peaks: numbers over its time, by name. picture: sockets over its time."""

    summary: Summary
    peaks: Mapping[str, Peaks] = field(default_factory=dict, repr=False)
    picture: Picture | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class TraceReport(Report):
    """What the recorded processes of a trace left open. code: with which the command exits."""

    processes: tuple[Remains, ...]
    code: int

    @property
    def exit_code(self) -> int:
        return self.code


def of_look(
    look: Look,
    held: Sequence[Held] = (),
    names: Mapping[str, str] | None = None,
    origins: Origins | None = None,
    attached: Attached | None = None,
    group_by: str = "remote",
    hint: str = "",
) -> LookReport:
    """A look is judged by the conditions alone: one look shows no growth."""
    status = Status.COULD_NOT_TELL if any(one.held is None for one in held) else Status.CLEAN
    if any(one.held for one in held):
        status = Status.FAILING
    return LookReport(
        command="sockets",
        subject=f"process {look.processes[0].pid}",
        status=status,
        verdict="; ".join(f"{one.condition}: {one.found}" for one in held) or "one look cannot tell growth",
        stack=None,
        rows=tuple(map(_condition, held)),
        findings=tuple(_findings(held)),
        look=look,
        held=tuple(held),
        names=names or {},
        origins=origins,
        attached=attached,
        group_by=group_by,
        hint=hint,
    )


def of_watch(timeline: Timeline, summary: Summary) -> WatchReport:
    """A row for each number and each condition. summary: of the timeline, at its end."""
    # Where conditions are set, they alone decide what is a failure.
    grows = RowStatus.NOTED if summary.conditions else RowStatus.FAILED
    statuses = {GROWING: grows, TOO_SHORT: RowStatus.COULD_NOT_TELL, UNKNOWN: RowStatus.COULD_NOT_TELL}
    rows = [
        Row(
            kind="number",
            name=one.name,
            code="",
            what=f"{one.name} does not grow",
            status=statuses.get(one.word, RowStatus.PASSED),
            seen=one.text,
            numbers=_rate(one),
        )
        for one in summary.courses
    ]
    growing = [
        Finding("grows", "problem", one.text, {"per_hour": one.per_hour or 0.0}, (), "", "", one.name)
        for one in summary.courses
        if one.word == GROWING
    ]
    return WatchReport(
        command="sockets",
        subject=f"process {summary.watched.pid}",
        status=summary.status,
        verdict=summary.verdict,
        stack=None,
        rows=(*rows, *map(_condition, summary.conditions)),
        findings=(*growing, *_findings(summary.conditions)),
        interrupted=summary.interrupted,
        summary=summary,
        peaks=timeline.peaks,
        picture=timeline.picture(),
    )


def _rate(one: Course) -> dict[str, float]:
    """How fast a number grows an hour, with the interval that holds the true rate 19 times in 20."""
    if one.word != GROWING or one.per_hour is None:
        return {}
    low, high = one.per_hour_low, one.per_hour_high
    rate = one.per_hour
    return {"per_hour": rate, "low": rate if low is None else low, "high": rate if high is None else high}


def of_trace(processes: Sequence[Remains], code: int, fail_on_left: bool = False) -> TraceReport:
    """code: of the program. With fail_on_left it is 1 where something was left open, and 3 where that is not known."""
    left = sum(len(one.kept) for one in processes if one.how != "running")
    unknown = sum(not one.looked for one in processes)
    if not processes:
        status, verdict = Status.COULD_NOT_TELL, "no Python 3.9 or newer recorded anything"
    elif left:
        were = "descriptor was" if left == 1 else "descriptors were"
        status, verdict = Status.FAILING, f"{left} {were} still open at the end"
    elif unknown:
        status, verdict = Status.COULD_NOT_TELL, f"what {unknown} of {len(processes)} processes held is not known"
    else:
        status, verdict = Status.CLEAN, "nothing was left open"
    if (code == OK and not processes) or (fail_on_left and status is Status.COULD_NOT_TELL):
        code = COULD_NOT_MEASURE
    elif fail_on_left and left:
        code = PROBLEM
    return _traced(processes, status, verdict, code)


def of_cut_trace(processes: Sequence[Remains]) -> TraceReport:
    """What there is of a trace that was killed."""
    verdict = "the capture ends before the program did: what it left open is not known"
    return _traced(processes, Status.COULD_NOT_TELL, verdict, COULD_NOT_MEASURE)


def of_box(process: Remains) -> TraceReport:
    """What one box says, of which nobody looked how the program ended."""
    return _traced([process], Status.CLEAN, "what the box says", OK)


def _traced(processes: Sequence[Remains], status: Status, verdict: str, code: int) -> TraceReport:
    return TraceReport(
        command="trace",
        subject="what was left open",
        status=status,
        verdict=verdict,
        stack=None,
        rows=tuple(map(_process, processes)),
        processes=tuple(processes),
        code=code,
    )


def _process(one: Remains) -> Row:
    """A process as a row: it fails when it left something open."""
    if one.how == "running":
        return Row("process", f"process {one.pid}", "", "runs on", RowStatus.NOTED, f"{len(one.kept)} open")
    status = RowStatus.FAILED if one.kept else RowStatus.PASSED if one.looked else RowStatus.COULD_NOT_TELL
    places = "; ".join(dict.fromkeys(f"{kept.kind}: {kept.opened.place}" for kept in one.kept[:10]))
    seen = f"{len(one.kept)} still open" if one.kept else "nothing was left open" if one.looked else "not known"
    what = f"{one.program} is to leave nothing open" if one.program else "is to leave nothing open"
    return Row("process", f"process {one.pid}", "", what, status, f"{seen}: {places}" if places else seen)


def _condition(held: Held) -> Row:
    """A --fail-on condition as a row: it fails when it holds."""
    statuses = {True: RowStatus.FAILED, False: RowStatus.PASSED, None: RowStatus.COULD_NOT_TELL}
    return Row("condition", held.condition, "", "fails when it holds", statuses[held.held], held.found)


def _findings(held: Sequence[Held]) -> Iterator[Finding]:
    for one in held:
        if one.held:
            yield Finding("condition-holds", "problem", one.found, {}, (), "", "", one.condition)
