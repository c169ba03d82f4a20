"""A watch, a look and a trace to and from a capture.

A watch has one record for each sample; the last ones say why it ended, unless it was killed, what was found of each
condition, and which lines opened what stayed. A look and a trace are written at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO

from hermes_diag.core import capture
from hermes_diag.core.errors import UsageError
from hermes_diag.watch import reports
from hermes_diag.watch.attached import Attached
from hermes_diag.watch.opened import Opened, Origins, Remains
from hermes_diag.watch.records import Ended, Held, Holding, Look, Place, Summary, Tick, Watched
from hermes_diag.watch.reports import LookReport, TraceReport
from hermes_diag.watch.timeline import Timeline

WATCH, LOOK, TRACE = "watch", "look", "trace"

_OF_WATCH: dict[str, type] = {"sample": Tick, "ended": Ended, "condition": Held, "place": Place}
_NAMES = {kind: name for name, kind in _OF_WATCH.items()}


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
    watched = reader.asked("watched", Watched)
    if watched is None:
        raise reader.changed(1, "it does not say what was watched")
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
        elif timeline.last is not None and record.at <= timeline.last.at:
            raise reader.changed(number, "its time is not after that of the line before")
        else:
            timeline.add(record)
    return timeline, ended


# --- a look ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Opening:
    """What a recorder says of one thing. of: "descriptor" or "thread" of a process, "unowned": by inode."""

    of: str
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
    attached = [one for one in found[Attached] if isinstance(one, Attached)]
    return reports.of_look(
        seen[0],
        [one for one in found[Held] if isinstance(one, Held)],
        {one.address: one.name for one in found[_Name] if isinstance(one, _Name)},
        _origins(found),
        attached[0] if attached else None,
        str(reader.head.get("group_by", "remote")),
    )


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
    if exit_ is None:
        reader.remark("ends before its program did: the trace was killed, or the file was cut")
        return reports.of_cut_trace(processes)
    return reports.of_trace(processes, exit_.code, exit_.fail_on_left)
