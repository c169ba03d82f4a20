"""Counts of a log by time, by gateway run, by thread and by session, in bounded memory. Pure."""

from __future__ import annotations

import heapq
import re

from hermes_diag.core.agent_log import Bucket, Run

#: What is counted by time and by run, in this order.
NAMES = (
    "created", "closed", "aborted", "nothing_closed", "failures", "retries", "turns", "calls", "endless", "stranded",
)  # fmt: skip
CREATED, CLOSED, ABORTED, NOTHING_CLOSED, FAILURES, RETRIES, TURNS, CALLS, ENDLESS, STRANDED = range(len(NAMES))
#: Parts of the time, runs, names of threads or sessions that are kept apart.
BUCKETS, RUNS, KEYS = 4000, 100, 10_000
OTHERS = b"others"
_NUMBER = re.compile(r"\d+")


class Times:
    """Counts by time. The parts become wider as the log becomes longer."""

    def __init__(self) -> None:
        self.width = 1.0
        self._parts: dict[int, list[int]] = {}
        self._here: list[int] = []
        self._begin = self._end = 0.0

    def at(self, at: float) -> list[int]:
        """The counts of the part in which a moment is."""
        if not self._begin <= at < self._end:
            number = int(at // self.width)
            if number not in self._parts:
                self._parts[number] = [0] * len(NAMES)
                while len(self._parts) > BUCKETS:
                    self._widen()
                number = int(at // self.width)
            self._here = self._parts[number]
            self._begin, self._end = number * self.width, (number + 1) * self.width
        return self._here

    def _widen(self) -> None:
        self.width *= 2
        joined: dict[int, list[int]] = {}
        for number, counts in self._parts.items():
            into = joined.setdefault(number // 2, [0] * len(NAMES))
            for place, count in enumerate(counts):
                into[place] += count
        self._parts = joined

    def buckets(self) -> list[Bucket]:
        """In the order of time."""
        return [
            Bucket(number * self.width, dict(zip(NAMES, counts, strict=True)))
            for number, counts in sorted(self._parts.items())
        ]


class Runs:
    """Counts by gateway run; of very many the first ones are taken together. totals: of the whole log, which go on."""

    def __init__(self, totals: list[int]) -> None:
        self._totals = totals
        self._kept: list[_Run] = []
        self.joined = 0
        self.here = _Run(0.0, False, [])  # until there is one

    def begin(self, at: float, started: bool) -> None:
        self.here = _Run(at, started, list(self._totals))
        self._kept.append(self.here)
        if len(self._kept) > RUNS:
            self._kept[0].join(self._kept.pop(1))
            self.joined += 1

    def runs(self, end: float) -> tuple[Run, ...]:
        """end: of the log."""
        if not self._kept:
            return ()
        nexts = [*((one.begin, one.before) for one in self._kept[1:]), (end, self._totals)]
        return tuple(
            Run(
                one.begin, one.stopped or until, one.started, one.stopped is not None, " and ".join(one.lines),
                {name: after - before for name, before, after in zip(NAMES, one.before, totals, strict=True)},
            )
            for one, (until, totals) in zip(self._kept, nexts, strict=True)
        )  # fmt: skip


class _Run:
    """One run of a gateway. before: the totals at its begin."""

    def __init__(self, begin: float, started: bool, before: list[int]) -> None:
        self.begin, self.started, self.before = begin, started, before
        self.stopped: float | None = None
        self.lines: dict[str, None] = {}

    def join(self, later: _Run) -> None:
        self.stopped = later.stopped
        self.lines |= later.lines


class Named:
    """Counts by name; names that come when there are very many are counted together."""

    def __init__(self) -> None:
        self.counts: dict[bytes, list[int]] = {}

    def add(self, name: bytes, what: int) -> None:
        counts = self.counts.get(name)
        if counts is None:
            name = name if len(self.counts) < KEYS else OTHERS
            counts = self.counts.setdefault(name, [0] * len(NAMES))
        counts[what] += 1

    def largest(self, most: int) -> dict[str, dict[str, int]]:
        """Those of which most was counted, by name."""
        chosen = heapq.nlargest(most, self.counts.items(), key=lambda item: (sum(item[1]), item[0]))
        return {name.decode("utf-8", "replace"): _said(counts) for name, counts in chosen}


def _said(counts: list[int]) -> dict[str, int]:
    return {name: count for name, count in zip(NAMES, counts, strict=True) if count}


class Kinds:
    """Lines about clients by kind of thread: `Thread-17 (_call)` is of the kind `Thread-N (_call)`."""

    def __init__(self) -> None:
        self._lines: dict[tuple[bytes, bytes, bytes], int] = {}  # (thread, verb, whether shared)
        self._kinds: dict[str, dict[str, int]] = {}

    def add(self, thread: bytes, verb: bytes, shared: bytes) -> None:
        key = (thread, verb, shared)
        self._lines[key] = self._lines.get(key, 0) + 1
        if len(self._lines) > KEYS:
            self._gather()

    def _gather(self) -> None:
        for (thread, verb, shared), count in self._lines.items():
            name = _NUMBER.sub("N", thread.decode("utf-8", "replace"))
            name = name if name in self._kinds or len(self._kinds) < KEYS else OTHERS.decode()
            counts = self._kinds.setdefault(name, {})
            what = f"{verb.decode()}_{'shared' if shared == b'True' else 'request'}"
            counts[what] = counts.get(what, 0) + count
        self._lines = {}

    def largest(self, most: int) -> dict[str, dict[str, int]]:
        """Those of which most was counted, by name."""
        self._gather()
        return dict(heapq.nlargest(most, self._kinds.items(), key=lambda item: (sum(item[1].values()), item[0])))
