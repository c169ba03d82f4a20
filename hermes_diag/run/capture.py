"""Evidence to and from JSON Lines, written as it happens, so that a killed run can still be read.

Line one is `{"record": "capture", "schema": 2, ...plan...}`. Each further line is one record of one
cell, `{"record": KIND, "cell": NAME, ...fields...}`; a cell is over with its "outcome".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

import msgspec

from hermes_diag.core import jsonl
from hermes_diag.core.errors import UsageError
from hermes_diag.core.evidence import Connection, Evidence, Moved, Outcome, Sample, Served
from hermes_diag.core.plan import Cell, Plan
from hermes_diag.core.text import quoted
from hermes_diag.worker.contract import ClientBuilt, Fact, Hello, Measured, Pools, TurnDone

SCHEMA = 2

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
    "outcome": Outcome,
}
_NAMES = {kind: name for name, kind in KINDS.items()}


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

    Turns of overlapping sessions end in any order; they are put in the order of the plan.
    """
    by_kind: dict[type, list[Any]] = {kind: [] for kind in KINDS.values()}
    for record in records:
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
        pools=tuple(by_kind[Pools]),
        measured=tuple(by_kind[Measured]),
        facts={fact.name: fact.value for fact in by_kind[Fact]},
        outcome=outcomes[-1] if outcomes else Outcome("cut", "this cell was not finished"),
    )


class Capture(jsonl.Writer):
    """A capture file being written."""

    def __init__(self, file: IO[bytes], plan: Plan) -> None:
        super().__init__(file)
        self.put({"record": "capture", "schema": SCHEMA, "plan": plan})

    def write(self, cell: Cell, record: Any) -> None:
        """Append one record of a cell."""
        own = {field.name: getattr(record, field.name) for field in fields(record)}
        self.put({"record": _NAMES[type(record)], "cell": cell.name, **own})


def read(path: Path) -> tuple[Plan, list[Evidence]]:
    """A capture file as (plan, evidence of every cell of the plan).

    The last line of a killed run may be half a line: it is left out. Raises UsageError.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as exc:
        raise UsageError(f"cannot read {path}: {exc.strerror}", "name a file written by --save") from None
    if lines == [b""]:
        raise UsageError(f"{path} is empty", "name a file written by --save")
    plan = _header(path, lines[0])
    whole = lines[:-1]  # after the last newline there is nothing, or half a record
    if not plan.cells:
        raise UsageError(f"{path} has a plan without cells", "the file was changed after it was written")
    records: dict[str, list[Any]] = {cell.name: [] for cell in plan.cells}
    for number, line in enumerate(whole[1:], start=2):
        record, name = jsonl.decode(path, number, line, KINDS)
        if name not in records:
            raise UsageError(f"{path} has a record of {name!r}, which its plan does not know")
        records[name].append(record)
    return plan, [collect(cell, records[cell.name]) for cell in plan.cells]


def _header(path: Path, line: bytes) -> Plan:
    try:
        head = msgspec.json.decode(line)
        schema, plan = head["schema"], head["plan"]
    except jsonl.NO_RECORD:
        if line.startswith(b'{"record":"capture"'):
            raise UsageError(f"{path} is cut off within its first line", "run again: it has no results") from None
        raise UsageError(f"{path} is no capture of hermes-diag", "name a file written by --save") from None
    if schema != SCHEMA:
        raise UsageError(
            f"{path} has schema {schema}, this hermes-diag reads {SCHEMA}",
            "use the release that wrote it, or run again",
        )
    try:
        converted = msgspec.convert(plan, Plan)
    except msgspec.ValidationError as exc:
        raise jsonl.changed(path, 1, str(exc)) from None
    if unknown := _unknown(plan, msgspec.to_builtins(converted)):
        raise jsonl.changed(path, 1, f"a plan has no {quoted(unknown)}")
    return converted


def _unknown(given: Any, known: Any) -> str:
    """The first key for which the plan has no field, at whatever depth; "" when there is none.

    msgspec leaves such a key out: a misspelt condition would be none.
    """
    if isinstance(given, dict):
        below = (_unknown(value, known[key]) for key, value in given.items() if key in known)
        return next((key for key in given if key not in known), "") or next(filter(None, below), "")
    return next(filter(None, map(_unknown, given, known)), "") if isinstance(given, list) else ""
