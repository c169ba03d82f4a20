"""What a worker writes, which may be another program than ours: one event a line, one cell after the other, judged and
shown."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from conftest import GOLDEN

from fuzz.frame import as_file
from hermes_diag.core.errors import CannotMeasure
from hermes_diag.core.evidence import Evidence, Outcome
from hermes_diag.core.plan import Plan
from hermes_diag.judge import planned, reports
from hermes_diag.reporters import formats
from hermes_diag.run import capture, endings, lane
from hermes_diag.worker import contract
from hermes_diag.worker.contract import Done, Exited, Failed

READS = ("hermes_diag.run.lane",)
_CAPTURES = ("audit", "run")
#: Every one of so many is shown, which takes the longest.
_SHOWN = 16
#: Lines that are read, so that there is time for many inputs.
_MOST = 400


@cache
def _known(name: str) -> tuple[Plan, list[Evidence]]:
    packed = (GOLDEN / "captures" / f"{name}.jsonl.gz").read_bytes()
    with as_file(gzip.decompress(packed), f"{name}.jsonl") as path:
        return capture.read(path)


def seeds() -> list[bytes]:
    """The name of a capture, and the events of its cells."""
    return [b"\n".join([name.encode(), *_lines(_known(name)[1])]) + b"\n" for name in _CAPTURES]


def _lines(cells: list[Evidence]) -> Iterator[bytes]:
    for one in cells:
        events = [record for record in capture.records_of(one) if type(record) in contract.NAMES]
        turns = 0
        for event in [*events, Done(), Exited(0)]:
            turns += isinstance(event, contract.TurnDone)
            if turns <= 2 or not isinstance(event, contract.TurnDone):
                yield json.dumps(contract.to_line(event)).encode()
    yield json.dumps(contract.to_line(Failed("KeyError: 'x'", ("a.py:3 make",), "factory"))).encode()


def run(data: bytes) -> str:
    name, *lines = data.split(b"\n")[:_MOST]
    plan, _ = _known(name.decode("latin-1") if name.decode("latin-1") in _CAPTURES else _CAPTURES[len(data) % 2])
    events = iter(lines)
    cells = [_cell(cell, events) for cell in plan.cells]
    if all(one.stack is None for one in cells):
        raise CannotMeasure("no worker said hello")
    found = reports.of(plan, cells)
    return formats.load("terminal").render(found, 80, True) if zlib.crc32(data) % _SHOWN == 0 else ""


def _cell(cell: Any, lines: Iterator[bytes]) -> Evidence:
    """As run/cell_run.py takes them."""
    records: list[Any] = []
    outcome = Outcome("died", "its interpreter was killed or ended by itself")
    for line in lines:
        try:
            event = lane.event_of(line)
        except lane.NoEvent as exc:
            outcome = Outcome("died", exc.message)
            break
        if isinstance(event, Exited):
            break
        if isinstance(event, Failed) and event.blame != "spec":
            outcome = Outcome("died", str(endings.of_failed(event, "app:make", {})))
        elif isinstance(event, Done):
            outcome = Outcome("done")
        elif type(event) in capture.KINDS.values():
            records.append(event)
    found = capture.collect(cell, [*records, outcome])
    lacking = planned.lacks(found)
    return capture.collect(cell, [*records, Outcome("died", lacking)]) if lacking else found
