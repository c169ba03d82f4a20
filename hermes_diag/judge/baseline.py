"""An earlier run to compare with: what is known, what is worse, what is better, what cannot be compared. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import FRESH, MEASURE, Cell
from hermes_diag.core.report import Row
from hermes_diag.core.status import RowStatus

#: The numbers of a finding that say how bad it is.
_BAD = ("attempts", "last", "value")
#: Counts of sockets and turns are the same in each run. Threads and descriptors vary: they are worse only if there are
#: more than a quarter more and more than two more.
_RACY = ("threads-grow", "descriptors-grow")


@dataclass(frozen=True)
class Compared:
    """Rows with their status after the comparison."""

    rows: tuple[Row, ...]
    better: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Baseline:
    """The evidence of an earlier run, and what it is called."""

    name: str
    evidence: Sequence[Evidence]

    def comparable(self, cells: Iterable[Cell]) -> list[Evidence]:
        """Its evidence of cells that were run under the same conditions, whatever their sizes."""
        wanted = set(map(_conditions, cells))
        return [one for one in self.evidence if _conditions(one.cell) in wanted]

    def compare(self, now: Sequence[Row], before: Sequence[Row], cells: Sequence[Cell]) -> Compared:
        """Rows of this run against those of the comparable part of the baseline."""
        measured = {_place(row) for row in before if row.status != RowStatus.COULD_NOT_TELL}
        untold = {_place(row) for row in before} - measured
        failed = {_key(row): row for row in before if row.status == RowStatus.FAILED}
        sized = self._same_sizes(cells)
        told_now = any(
            row.status != RowStatus.COULD_NOT_TELL for row in now
        )  # a run that could tell nothing cannot be compared with

        def compared(row: Row) -> Row:
            if row.status == RowStatus.FAILED:
                return _against(row, measured, failed, sized)
            if row.status == RowStatus.COULD_NOT_TELL and told_now and _place(row) in untold:
                return replace(row, status=RowStatus.KNOWN, note="known: the baseline could not tell either")
            return row

        rows = tuple(map(compared, now))
        still = {_key(row) for row in now if row.status in (RowStatus.FAILED, RowStatus.ALLOWED)}
        told = {_place(row) for row in now if row.status != RowStatus.COULD_NOT_TELL}
        better = tuple(_words(row) for key, row in failed.items() if key not in still and _place(row) in told)
        return Compared(rows, better, tuple(self._notes(now, measured, cells)))

    def _same_sizes(self, cells: Sequence[Cell]) -> bool:
        sizes = {_conditions(one.cell): (one.cell.sessions, one.cell.turns) for one in self.evidence}
        ours = [(sizes.get(_conditions(cell)), (cell.sessions, cell.turns)) for cell in cells]
        return all(theirs is None or theirs == own for theirs, own in ours)

    def _notes(self, now: Sequence[Row], measured: set[Any], cells: Sequence[Cell]) -> Iterable[str]:
        missing = list(dict.fromkeys(row.name for row in now if _place(row) not in measured))
        specs = {_same(spec_of(one.cell)) for one in self.evidence if one.cell.workload not in (FRESH, MEASURE)}
        if _same(spec_of(cells[0])) not in specs:
            yield f"{self.name} is of {', '.join(sorted(specs)) or 'something else'}: nothing could be compared"
        elif missing:
            yield f"{self.name} has no result to compare with: {', '.join(missing)}"
        ran = {_conditions(cell) for cell in cells}
        beyond = [one.cell.name for one in self.evidence if _conditions(one.cell) not in ran]
        beyond = [name for name in beyond if name not in (FRESH, MEASURE)]
        if beyond and _same(spec_of(cells[0])) in specs:
            yield f"only in {self.name}, and not run now: {', '.join(beyond)}"
        if not self._same_sizes(cells):
            yield f"{self.name} has other numbers of sessions or turns: findings were compared, their numbers were not"


def _conditions(cell: Cell) -> tuple[Any, ...]:
    return (
        cell.strategy, cell.end, cell.workload, cell.scope, cell.retries, cell.idle_close, cell.fault,
        cell.scenario, cell.audit, replace(cell.conditions, patience=None), cell.hermes, _same(spec_of(cell)),
    )  # fmt: skip


def _same(spec: str) -> str:
    """`./file.py:name` and `file.py:name` are the same."""
    place, colon, name = spec.rpartition(":")
    return f"{os.path.normpath(place)}{colon}{name}" if place.endswith(".py") else spec


def spec_of(cell: Cell) -> str:
    """What a cell put to the test: the factory as the user named it, or our strategy."""
    return cell.factory or cell.strategy


def _place(row: Row) -> tuple[str, str]:
    return row.kind, row.name


def _key(row: Row) -> tuple[str, str, str]:
    return row.kind, row.name, row.code


def _words(row: Row) -> str:
    return f"{row.code} in {row.name}" if row.kind == "workload" else row.name


def _against(row: Row, measured: set[Any], failed: dict[Any, Row], sized: bool) -> Row:
    if _place(row) not in measured:
        return replace(row, note="cannot be compared: the baseline has no result for it")
    before = failed.get(_key(row))
    if before is None:
        return replace(row, note="new: it is not in the baseline")
    for name in _BAD if sized else ():
        then, now = before.numbers.get(name, 0), row.numbers.get(name, 0)
        if now > (max(then * 1.25, then + 2) if row.code in _RACY else then):
            return replace(row, note=f"worse than the baseline: {name} {then:g}, now {now:g}")
    return replace(row, status=RowStatus.KNOWN, note="known: it is in the baseline too")
