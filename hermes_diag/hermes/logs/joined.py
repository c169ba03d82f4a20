"""What the log counts and what a watch saw, in the same parts of the time. Pure, but for the capture that is read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hermes_diag.core import capture
from hermes_diag.core.agent_log import Bucket
from hermes_diag.core.errors import UsageError
from hermes_diag.core.packed_lines import MOST_BIT_BY_BIT
from hermes_diag.core.sockets import CLOSE_WAIT, ESTABLISHED
from hermes_diag.watch.capture import WATCH, of_what
from hermes_diag.watch.records import Ended, Held, Place, Tick

#: What of a watch stands beside the log, and parts of the time in a picture at most.
HIGHS = (CLOSE_WAIT, ESTABLISHED, "fds", "threads")
PARTS = 120


@dataclass
class Watch:
    """The highs of a watch by time. notes: what is to be said of its file."""

    begin: float
    pid: int
    name: str
    width: float = 1.0
    end: float = 0.0
    parts: dict[int, dict[str, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, at: float, tick: Tick) -> None:
        self.end = at
        seen = {CLOSE_WAIT: tick.states.get(CLOSE_WAIT, 0), "fds": tick.fds, "threads": tick.threads}
        # Nobody holds those any more that a close from another thread left: they count, too.
        seen[ESTABLISHED] = tick.states.get(ESTABLISHED, 0) + tick.unowned.get(ESTABLISHED, 0)
        _raise(self.parts.setdefault(int(at // self.width), {}), seen)
        if len(self.parts) > 20 * PARTS:
            self.width *= 2
            wider: dict[int, dict[str, int]] = {}
            for number, highs in self.parts.items():
                _raise(wider.setdefault(number // 2, {}), highs)
            self.parts = wider


def watch(path: Path) -> Watch:
    """The watch of a capture. Raises UsageError."""
    reader = capture.Reader(path)
    if reader.kind != WATCH:
        raise UsageError(f"{path} is no watch", "name a file that `hermes-diag sockets --watch --save FILE` wrote")
    reader.file.most = MOST_BIT_BY_BIT
    watched = of_what(reader)
    found = Watch(watched.begun, watched.pid, watched.name, end=watched.begun)
    whole = False
    for number, record, _ in reader.records({"sample": Tick, "ended": Ended, "condition": Held, "place": Place}):
        if isinstance(record, Tick):
            if not found.end <= watched.begun + record.at:
                raise reader.changed(number, "its time is before that of the line before")
            found.add(watched.begun + record.at, record)
        whole = whole or isinstance(record, Ended)
    if not found.parts:
        raise UsageError(f"{path} has not one sample", "watch again, for longer")
    if not whole:
        reader.remark("ends before its watch did: that was killed, or the file was cut")
    found.notes = reader.notes()
    return found


def picture(buckets: Sequence[Bucket], width: float, seen: Watch | None) -> tuple[tuple[Bucket, ...], float]:
    """(parts of the time, their seconds): of the whole log, or with a watch of its time. Without a part that both have:
    nothing."""
    if seen is not None:
        buckets = [one for one in buckets if one.begin + width > seen.begin and one.begin <= seen.end]
    if not buckets:
        return (), width
    begin = buckets[0].begin if seen is None else min(buckets[0].begin, seen.begin)
    end = buckets[-1].begin + width if seen is None else max(buckets[-1].begin + width, seen.end)
    while (end - begin) / width > PARTS:
        width *= 2
    counts: dict[int, dict[str, int]] = {}
    for one in buckets:
        into = counts.setdefault(int(one.begin // width), {})
        for name, count in one.counts.items():
            into[name] = into.get(name, 0) + count
    highs = _highs(seen, width) if seen else {}
    names = list(buckets[0].counts)
    numbers = range(int(begin // width), math.ceil(end / width))
    return tuple(_buckets(numbers, width, counts, highs, names, seen is not None)), width


def _buckets(
    numbers: range,
    width: float,
    counts: dict[int, dict[str, int]],
    highs: dict[int, dict[str, int]],
    names: Sequence[str],
    watched: bool,
) -> Iterator[Bucket]:
    for number in numbers:
        said, high = counts.get(number, {}), highs.get(number, {})
        yield Bucket(
            number * width,
            {name: said.get(name, 0) for name in names},
            {name: high.get(name) for name in HIGHS} if watched else {},
        )


def _highs(seen: Watch, width: float) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    for number, highs in seen.parts.items():
        _raise(found.setdefault(int(number * seen.width // width), {}), highs)
    return found


def _raise(into: dict[str, int], seen: dict[str, int] | dict[str, int | None]) -> None:
    for name, value in seen.items():
        if value is not None:
            into[name] = max(value, into.get(name, 0))
