"""The evidence of a run to and from a capture.

The first line has the plan, and of a check its settings; each further record names its cell, which is over with its
"outcome". Records of a baseline that a check was compared with stand there, too, marked as `before`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from hermes_diag.core import capture
from hermes_diag.core.errors import UsageError
from hermes_diag.core.evidence import (
    Connection,
    Evidence,
    Moved,
    Outcome,
    Repeated,
    Sample,
    Served,
    Standstill,
)
from hermes_diag.core.plan import Cell, Plan
from hermes_diag.core.report import Report
from hermes_diag.core.text import quoted
from hermes_diag.judge import check, planned, reports
from hermes_diag.judge.baseline import Baseline
from hermes_diag.judge.settings import Asked
from hermes_diag.worker.contract import ClientBuilt, Fact, Hello, Measured, Pools, TurnDone

KIND = "run"

KINDS: dict[str, type] = {
    "stack": Hello,
    "client": ClientBuilt,
    "turn": TurnDone,
    "sample": Sample,
    "moved": Moved,
    "served": Served,
    "connection": Connection,
    "pools": Pools,
    "measured": Measured,
    "fact": Fact,
    "standstill": Standstill,
    "repeated": Repeated,
    "outcome": Outcome,
}
_NAMES = {kind: name for name, kind in KINDS.items()}


@dataclass(frozen=True)
class Ended:
    """How a run ended. trouble: why it could not be made at all, "" otherwise."""

    interrupted: bool = False
    trouble: str = ""


class Recorder:
    """Collects the records of one cell, and writes each to the capture at once if there is one."""

    def __init__(self, cell: Cell, capture: Capture | None = None) -> None:
        self.cell = cell
        self._capture = capture
        self._records: list[Any] = []

    def add(self, record: Any) -> None:
        self._records.append(record)
        if self._capture is not None:
            self._capture.write(self.cell, record)

    def evidence(self) -> Evidence:
        """What was collected. Without an outcome the cell was cut off."""
        return collect(self.cell, self._records)


def collect(cell: Cell, records: Iterable[Any]) -> Evidence:
    """Records of one cell, in the order they came, as Evidence.

    Turns of overlapping sessions end in any order; they are put in the order of the plan. What was recorded before the
    cell was run once more does not count.
    """
    by_kind: dict[type, list[Any]] = {kind: [] for kind in KINDS.values()}
    for record in records:
        if isinstance(record, Repeated):
            by_kind = {kind: found if kind is Repeated else [] for kind, found in by_kind.items()}
        by_kind[type(record)].append(record)
    stacks, outcomes = by_kind[Hello], by_kind[Outcome]
    return Evidence(
        cell=cell,
        stack=stacks[0] if stacks else None,
        clients=tuple(by_kind[ClientBuilt]),
        turns=tuple(sorted(by_kind[TurnDone], key=lambda turn: (turn.turn, turn.session, turn.attempt))),
        samples=tuple(by_kind[Sample]),
        served=tuple(by_kind[Served]),
        connections=tuple(by_kind[Connection]),
        moved=tuple(by_kind[Moved]),
        standstills=tuple(by_kind[Standstill]),
        repeated=tuple(by_kind[Repeated]),
        pools=tuple(by_kind[Pools]),
        measured=tuple(by_kind[Measured]),
        facts={fact.name: fact.value for fact in by_kind[Fact]},
        outcome=outcomes[-1] if outcomes else Outcome("cut", "this cell was not finished"),
    )


def records_of(evidence: Evidence) -> Iterator[Any]:
    """The records of a cell, of which `collect` makes the same evidence."""
    yield from evidence.repeated
    if evidence.stack:
        yield evidence.stack
    yield from (*evidence.clients, *evidence.turns, *evidence.samples, *evidence.moved, *evidence.pools)
    yield from (*evidence.served, *evidence.connections, *evidence.measured, *evidence.standstills)
    yield from (Fact(name, value) for name, value in evidence.facts.items())
    yield evidence.outcome


class Capture(capture.Writer):
    """A capture file being written. asked: of a check, its settings. before: the baseline that it is compared with."""

    def __init__(
        self, file: IO[bytes], plan: Plan, asked: Asked | None = None, before: Sequence[Evidence] = ()
    ) -> None:
        more: dict[str, Any] = {"check": asked} if asked else {}
        if before:
            more["before"] = [one.cell for one in before]
        super().__init__(file, KIND, plan=plan, **more)
        for evidence in before:
            for record in records_of(evidence):
                self.put(_NAMES[type(record)], record, cell=evidence.cell.name, before=True)

    def write(self, cell: Cell, record: Any) -> None:
        """Append one record of a cell."""
        self.put(_NAMES[type(record)], record, cell=cell.name)

    def end(self, ended: Ended) -> None:
        """Append how the run ended."""
        self.put("ended", ended)


@dataclass(frozen=True)
class Read:
    """What a capture says. before: the evidence of the baseline of a check. ended: None after a kill."""

    plan: Plan
    evidence: list[Evidence]
    asked: Asked | None
    before: list[Evidence]
    ended: Ended | None


def read(path: Path) -> tuple[Plan, list[Evidence]]:
    """A capture of a run as (plan, evidence of every cell of the plan). Raises UsageError."""
    reader = capture.Reader(path)
    if reader.kind != KIND:
        raise UsageError(f"{path} is a capture of a {reader.kind[:20]}", "name one of a run")
    found = whole(reader)
    return found.plan, found.evidence


def whole(reader: capture.Reader) -> Read:
    """All that a capture of a run says, checked: each cell is one that can be judged. Raises UsageError."""
    plan: Plan | None = reader.asked("plan", Plan)
    if plan is None or not plan.cells:
        raise UsageError(f"{reader.path} has a plan without cells", "the file was changed after it was written")
    earlier: tuple[Cell, ...] = reader.asked("before", tuple[Cell, ...]) or ()
    asked: Asked | None = reader.asked("check", Asked)
    if wrong := planned.wrong(plan, earlier, asked):
        raise reader.changed(1, wrong)
    records: dict[tuple[str | None, bool], list[Any]] = {(cell.name, False): [] for cell in plan.cells}
    records |= {(cell.name, True): [] for cell in earlier}
    ended = None
    for number, record, of in reader.records({**KINDS, "ended": Ended}):
        key = of.cell, bool(of.before)
        if isinstance(record, Ended):
            ended = record
            continue
        if key not in records:
            raise reader.changed(number, f"a record of {quoted(str(of.cell))}, which its plan does not know")
        if records[key] and isinstance(records[key][-1], Outcome) and not isinstance(record, Repeated):
            raise reader.changed(number, f"a record of {quoted(str(of.cell))}, which was over before")
        records[key].append(record)
        if isinstance(record, Repeated):
            reader.remark(f"has something of {quoted(str(of.cell))} that does not count: {record.why}")
    if ended is None and reader.schema == capture.SCHEMA:
        reader.remark("ends before its run did: that was killed, or the file was cut; what is missing was not measured")
    found = Read(
        plan,
        [collect(cell, records[cell.name, False]) for cell in plan.cells],
        asked,
        [collect(cell, records[cell.name, True]) for cell in earlier],
        ended,
    )
    if wrong := next(filter(None, map(planned.lacks, (*found.evidence, *found.before))), ""):
        raise UsageError(f"{reader.path}: {wrong}", "the file was changed after it was written")
    return found


def judged(found: Read) -> Report:
    """The report of the command that wrote it. Raises UsageError for a scenario that does not exist any more."""
    ended = found.ended or Ended()
    if found.asked is None:
        return reports.of(found.plan, found.evidence, ended.interrupted)
    baseline = Baseline(found.asked.baseline, found.before) if found.asked.baseline else None
    return check.judge(found.plan, found.evidence, found.asked, baseline, ended.trouble, ended.interrupted)
