"""What the log of a Hermes gateway says of its clients, as a report. Frozen, no logic.

Times are seconds since the epoch. No type here has a field for messages, summaries of failures, URLs or keys: what
cannot be stored cannot leak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hermes_diag.core.report import Report


@dataclass(frozen=True)
class Ends:
    """Lines about the clients of one role. `aborted`: another thread than their own was to shut their sockets down;
    `force_closed_nothing`: of these, those that found none."""

    created: int
    closed: int
    aborted: int
    force_closed_nothing: int


@dataclass(frozen=True)
class Left:
    """One client that was left. why: what the log shows after which it was to be over."""

    at: float
    thread: str
    reason: str  # for which it was created, or aborted
    why: str


@dataclass(frozen=True)
class Clients:
    """The request clients, balanced: each that was created is in exactly one of the fields below it."""

    created: int
    closed: int  # by their own thread
    ended_by_others: int  # closed by another thread; in Hermes 0.13 and 0.14 that is how streams are given up
    aborted_unclosed: int  # aborted, with sockets shut down, and no close by their own thread
    stranded: int  # aborted with tcp_force_closed=0, not closed by their own thread, and their session went on
    endless: int  # neither closed nor aborted, although their thread or the turn went on
    cut: int  # the gateway was started anew meanwhile
    under_way: int  # at the end of the log


@dataclass(frozen=True)
class Run:
    """From one start of a gateway to the next. lines: of which releases its lines are, as far as they tell."""

    begin: float
    end: float
    started: bool  # its first line is a start; else the log begins within it
    stopped: bool
    lines: str
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Shift:
    """A rate that is another one in a run than in the one before. Rates are by 100 turns."""

    name: str
    at: float
    before: int
    before_turns: int
    after: int
    after_turns: int


@dataclass(frozen=True)
class Clock:
    """A jump of the log's own time from one line to the next. seconds: below 0 it went back."""

    at: float
    seconds: float
    what: str


@dataclass(frozen=True)
class Bucket:
    """A part of the time: counts from the log, and the highest numbers that a watch saw; None: it saw nothing then."""

    begin: float
    counts: Mapping[str, int]
    highs: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class File:
    """One file that was read."""

    name: str
    size: int
    encoding: str
    trouble: str = ""


@dataclass(frozen=True, kw_only=True)
class LogReport(Report):
    """Of `logs`. begin, end: of the first and of the last line that was understood; None: there was none."""

    files: tuple[File, ...]
    zone: str
    begin: float | None
    end: float | None
    roles: Mapping[str, Ends]
    clients: Clients
    left: tuple[Left, ...]  # the oldest of each kind
    nothing_closed_since: float | None
    nothing_closed_last: float | None
    turns: int
    turn_ends: Mapping[str, int]
    calls: int
    latency: Mapping[str, float]  # seconds
    failures: Mapping[str, int]  # by type of the error
    given_up: int  # turns that failed after all their retries
    retries: int
    retries_per_hour: float | None
    worst_hour: tuple[float, int] | None  # begin, retries
    threads: Mapping[str, Mapping[str, int]]
    sessions: Mapping[str, Mapping[str, int]]
    runs: tuple[Run, ...]
    shifts: tuple[Shift, ...]
    clock: tuple[Clock, ...]
    silence: Clock | None  # the longest time without a line that was understood
    buckets: tuple[Bucket, ...]
    bucket_seconds: float
    notes: tuple[str, ...]
