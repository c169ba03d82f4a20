"""A watch, a look and a trace to and from a capture.

A watch has one record for each sample; the last ones say why it ended, unless it was killed, what was found of each
condition, and which lines opened what stayed. A look and a trace are written at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO, Literal

from hermes_diag.core import capture
from hermes_diag.core.errors import UsageError
from hermes_diag.core.packed_lines import MOST_BIT_BY_BIT
from hermes_diag.core.text import quoted
from hermes_diag.watch import filters, reports
from hermes_diag.watch.attached import Attached
from hermes_diag.watch.opened import Opened, Origins, Remains
from hermes_diag.watch.records import Ended, Held, Holding, Look, Place, Summary, Tick, Watched
from hermes_diag.watch.reports import LookReport, TraceReport
from hermes_diag.watch.timeline import Timeline

WATCH, LOOK, TRACE = "watch", "look", "trace"

_OF_WATCH: dict[str, type] = {"sample": Tick, "ended": Ended, "condition": Held, "place": Place}
_NAMES = {kind: name for name, kind in _OF_WATCH.items()}
_CHANGED = "the file was changed after it was written"


class WatchCapture(capture.Writer):
    """A capture of a watch being written."""

    def __init__(self, file: IO[bytes], watched: Watched) -> None:
        super().__init__(file, WATCH, watched=watched)

    def write(self, record: Tick | Ended | Held | Place) -> None:
        """Append one record."""
        self.put(_NAMES[type(record)], record)

    def end(self, ended: Ended, summary: Summary) -> None:
        """Append why the watch ended, and what was found."""
        self.write(ended)
        for held in summary.conditions:
            self.write(held)
        for place in summary.places:
            self.write(place)


def watch(reader: capture.Reader) -> tuple[Timeline, Ended]:
    """A capture as (its samples gathered, why it ended). Raises UsageError."""
    reader.file.most = MOST_BIT_BY_BIT  # its samples are gathered, not kept
    watched = of_what(reader)
    try:
        timeline = Timeline(watched, drawn=True)
    except UsageError as exc:
        raise reader.changed(1, str(exc)) from None
    ended = Ended("cut", "the capture ends before the watch did")
    for number, record, _ in reader.records(_OF_WATCH):
        if isinstance(record, Ended):
            ended = record
        elif isinstance(record, Place):
            timeline.places.append(record)
        elif isinstance(record, Held):
            timeline.held[record.condition] = record
        else:
            if wrong := _of_sample(record, timeline):
                raise reader.changed(number, wrong)
            timeline.add(record)
            if wrong := _of_lives(record, timeline):
                raise reader.changed(number, wrong)
    return timeline, ended


def of_what(reader: capture.Reader) -> Watched:
    """What a capture of a watch was of. Raises UsageError."""
    watched: Watched | None = reader.asked("watched", Watched)
    if watched is None:
        raise reader.changed(1, "it does not say what was watched")
    if watched.interval < _SHORTEST:
        raise reader.changed(1, f"an interval of {watched.interval:g} s")
    return watched


def _of_sample(tick: Tick, before: Timeline) -> str:
    """Why no sample can be like this, "" when it can: so that what gathers them need not look again."""
    if tick.at < 0 or (before.last is not None and tick.at <= before.last.at):
        return "its time is not after that of the line before"
    of_endpoints = (state for states in tick.remotes.values() for state in states)
    states = {*tick.states, *tick.unowned, *tick.entered, *tick.oldest, *tick.unread, *tick.untouched, *of_endpoints}
    if strange := states - _STATES:
        return f"there is no state {quoted(min(strange))}"
    named = (len(tick.lives), len(tick.opened), len(tick.gone), len(tick.remotes), len(tick.each))
    if max(named) > _TOGETHER:
        return f"more than {_TOGETHER:,} things in one sample"
    return "a part of the limit below 0" if tick.used is not None and tick.used < 0 else ""


def _of_lives(tick: Tick, after: Timeline) -> str:
    """Why things cannot have come and gone like this, "" when they can."""
    if len(after.lives) > _TOGETHER:
        return f"more than {_TOGETHER:,} things are followed"
    lost = next((name for name in tick.lives if name in after.lives and after.lives[name].count < 0), None)
    return "" if lost is None else f"of {quoted(lost)} more have gone than were there"


#: Seconds from sample to sample at least: of a thousandth of what can be asked for.
_SHORTEST = 1e-5
#: By what `--set group-by` groups.
_GROUPS = ("state", "remote", "port")
#: States of a sample: those of the kernel, and what psutil calls those of other systems.
_STATES = frozenset((*filters.STATES, "NONE", "DELETE", "DELETE_TCB", "IDLE", "BOUND"))
#: Names in a sample, and names that are followed, at most: those of 500 endpoints, 500 files and each process.
_TOGETHER = 10_000


# --- a look ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Opening:
    """What a recorder says of one thing. of: "descriptor" or "thread" of a process, "unowned": by inode."""

    of: Literal["descriptor", "thread", "unowned"]
    pid: int
    number: int
    opened: Opened


@dataclass(frozen=True)
class _Recorded:
    """The processes that have a recorder, and what may be missing."""

    processes: tuple[int, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Name:
    """The name of an address."""

    address: str
    name: str


_OF_LOOK = {
    "look": Look,
    "condition": Held,
    "name": _Name,
    "recorded": _Recorded,
    "opening": _Opening,
    "attached": Attached,
}


def write_look(file: IO[bytes], report: LookReport) -> capture.Writer:
    """One look as a capture."""
    writer = capture.Writer(file, LOOK, group_by=report.group_by)
    writer.put("look", replace(report.look, held=_unnamed(report.look.held)))
    for held in report.held:
        writer.put("condition", held)
    for address, name in report.names.items():
        writer.put("name", _Name(address, name))
    if report.origins is not None:
        writer.put("recorded", _Recorded(report.origins.recorded, report.origins.notes))
        for opening in _openings(report.origins):
            writer.put("opening", opening)
    if report.attached is not None:
        writer.put("attached", report.attached)
    return writer


def _unnamed(held: tuple[Holding, ...] | None) -> tuple[Holding, ...] | None:
    """Descriptors without the names of their files, which no report has; a recorder's own is still known as that."""
    if held is None:
        return None
    return tuple(
        replace(
            one,
            fds={fd: (kind, ".box" if target.endswith(".box") else "") for fd, (kind, target) in one.fds.items()},
        )
        for one in held
    )


def _openings(origins: Origins) -> Iterator[_Opening]:
    for (pid, fd), opened in origins.descriptors.items():
        yield _Opening("descriptor", pid, fd, opened)
    for (pid, tid), opened in origins.threads.items():
        yield _Opening("thread", pid, tid, opened)
    for inode, opened in origins.unowned.items():
        yield _Opening("unowned", 0, inode, opened)


def look(reader: capture.Reader) -> LookReport:
    """A capture as the look that it is of. Raises UsageError."""
    found: dict[type, list[object]] = {kind: [] for kind in _OF_LOOK.values()}
    for _, record, _ in reader.records(_OF_LOOK):
        found[type(record)].append(record)
    seen = [one for one in found[Look] if isinstance(one, Look)]
    if not seen:
        raise UsageError(f"{reader.path} is cut off before its look", "look again: it has no results")
    if wrong := _of_look(seen[0], reader.group_by):
        raise UsageError(f"{reader.path}: {wrong}", _CHANGED)
    attached = [one for one in found[Attached] if isinstance(one, Attached)]
    return reports.of_look(
        seen[0],
        [one for one in found[Held] if isinstance(one, Held)],
        {one.address: one.name for one in found[_Name] if isinstance(one, _Name)},
        _origins(found),
        attached[0] if attached else None,
        reader.group_by or "remote",
    )


def _of_look(seen: Look, group_by: str) -> str:
    """Why no look can be like this, "" when it can."""
    if not seen.processes:
        return "a look at no process"
    if group_by not in ("", *_GROUPS):
        return f"nothing is grouped by {quoted(group_by)}"
    strange = next((fd for one in seen.held or () for fd in one.fds if not (fd.isdecimal() and len(fd) < 11)), None)
    return "" if strange is None else f"there is no descriptor {quoted(strange)}"


def _origins(found: dict[type, list[object]]) -> Origins | None:
    openings = [one for one in found[_Opening] if isinstance(one, _Opening)]
    for recorded in found[_Recorded]:
        if isinstance(recorded, _Recorded):
            return Origins(
                {(one.pid, one.number): one.opened for one in openings if one.of == "descriptor"},
                {(one.pid, one.number): one.opened for one in openings if one.of == "thread"},
                {one.number: one.opened for one in openings if one.of == "unowned"},
                recorded.processes,
                recorded.notes,
            )
    return None


# --- a trace -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Exit:
    """How a traced program ended. code: its exit code. fail_on_left: whether what was left open counts."""

    code: int
    fail_on_left: bool


class TraceCapture(capture.Writer):
    """A capture of a trace, opened before its program begins."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, TRACE)

    def end(self, report: TraceReport, code: int, fail_on_left: bool) -> None:
        """Append what the processes held. code: of the program."""
        for process in report.processes:
            self.put("process", process)
        self.put("exit", _Exit(code, fail_on_left))


#: (name, type) of every record of these captures.
RECORDS = (*_OF_WATCH.items(), *_OF_LOOK.items(), ("process", Remains), ("exit", _Exit))


def trace(reader: capture.Reader) -> TraceReport:
    """A capture as the trace that it is of. Raises UsageError."""
    processes: list[Remains] = []
    exit_: _Exit | None = None
    for _, record, _ in reader.records({"process": Remains, "exit": _Exit}):
        if isinstance(record, Remains):
            processes.append(record)
        else:
            exit_ = record
    if exit_ is not None and exit_.code > 255:
        raise UsageError(f"{reader.path}: no program ends with {exit_.code}", _CHANGED)
    if exit_ is None:
        reader.remark("ends before its program did: the trace was killed, or the file was cut")
        return reports.of_cut_trace(processes)
    return reports.of_trace(processes, exit_.code, exit_.fail_on_left)
