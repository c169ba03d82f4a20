"""Where what a process holds was opened, as its recorder wrote it down. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from hermes_diag.core import units
from hermes_diag.core.sockets import ESTABLISHED
from hermes_diag.watch.records import Look, Place

#: What is said of a descriptor without a slot in the box, and of one that was there at the start.
UNKNOWN = "not recorded: opened before the recorder began, or by C code"
INHERITED = "open before the recorder began"


@dataclass(frozen=True)
class Opened:
    """Where a descriptor was opened or a thread was started.

    at: seconds since the epoch. lines: `FILE:LINE in FUNCTION`, of the program, the innermost first; of a library
    where the program has none. library: the line of a library that the program called there, "" none. thread: its
    name, "" unknown. task: that of asyncio, "" none. accepted: the line is that of the server that accepted it. by:
    the PID of the process that opened it and handed it down, None: the same. inherited: it was open before the program
    began, and who opened it is not known. own: the lines are of the program. several: SQLite opened the file by itself,
    for one of several lines that open such a file; this is the last of them. started: the thread that opened it runs no
    line but Python's; the line is the one that started the thread.
    """

    at: float
    lines: tuple[str, ...]
    library: str = ""
    thread: str = ""
    task: str = ""
    accepted: bool = False
    by: int | None = None
    inherited: bool = False
    own: bool = True
    several: bool = False
    started: bool = False

    @property
    def place(self) -> str:
        if self.inherited:
            return INHERITED
        place = self.lines[0] if self.lines else "a line of Python itself"
        return f"{place}, or another line that opens files of that name" if self.several else place


@dataclass(frozen=True)
class Origins:
    """What recorders say of a look. Keys: (PID, descriptor), (PID, thread id); of sockets without owner the inode."""

    descriptors: Mapping[tuple[int, int], Opened] = field(default_factory=dict)
    threads: Mapping[tuple[int, int], Opened] = field(default_factory=dict)
    unowned: Mapping[int, Opened] = field(default_factory=dict)
    recorded: tuple[int, ...] = ()  # processes that have a recorder
    notes: tuple[str, ...] = ()  # why something may be missing, and what would help


def text(one: Opened, now: float, verb: str = "opened") -> str:
    """Of one descriptor, or of a thread with `started`, in one line."""
    if one.inherited:
        return INHERITED
    said = f"{'accepted' if one.accepted else verb} {units.duration(max(0.0, now - one.at))} ago at {one.place}"
    by = f", by process {one.by}, which handed it down" if one.by is not None else ""
    return said + around(one) + by + whose(one)


def around(one: Opened) -> str:
    """What the program called at its line, and in which thread and task."""
    said = f", through {one.library}" if one.library else ""
    said += f", thread {one.thread}" if one.thread and one.thread != "MainThread" else ""
    return said + (f", task {one.task}" if one.task else "")


def whose(one: Opened) -> str:
    """What a line stands for that did not open the descriptor itself."""
    said = " (that line made the server)" if one.accepted else ""
    return said + (" (that line started the thread)" if one.started else "")


def groups(found: Iterable[Opened | None]) -> list[tuple[str, int]]:
    """(place, how many) of descriptors, the most frequent first; "" is the place of those of which nothing is known."""
    return Counter("" if one is None else one.place for one in found).most_common()


def kinds(seen: Look, origins: Origins) -> dict[str, list[Opened | None]]:
    """The openings of what a look shows by what it is: a state of sockets, a kind of descriptors, "threads". None: that
    one is not known."""
    states = {(row.pid, row.fd): row.state for row in seen.rows}
    found: dict[str, list[Opened | None]] = {}
    for key, kind in held(seen, origins):
        found.setdefault(states.get(key) or f"{kind} descriptors", []).append(origins.descriptors.get(key))
    found = dict(sorted(found.items(), key=lambda one: (not one[0].isupper(), -len(one[1]))))
    if lost := [row for row in seen.unowned if row.state == ESTABLISHED]:
        found["ESTABLISHED without an owner"] = [origins.unowned.get(row.inode or 0) for row in lost]
    if running := list(threads(seen, origins)):
        found["threads"] = [origins.threads.get(key) for key in running]
    return found


def held(seen: Look, origins: Origins) -> Iterator[tuple[tuple[int, int], str]]:
    """((PID, descriptor), kind) of the processes that have a recorder, but for its own file and stdin to stderr."""
    for one in seen.held or ():
        if one.pid in origins.recorded:
            for name, (kind, target) in one.fds.items():
                if not target.endswith(".box") and int(name) > 2:
                    yield (one.pid, int(name)), kind


def threads(seen: Look, origins: Origins) -> Iterator[tuple[int, int]]:
    """(PID, thread id), but for the main ones, which nobody has started."""
    for one in seen.held or ():
        if one.pid in origins.recorded:
            yield from ((one.pid, tid) for tid in one.threads if tid != one.pid)


def since(seen: Look, origins: Origins, begun: float) -> list[Place]:
    """Where what a look shows was opened, of what was opened after `begun`; the most frequent first."""
    places = []
    for what, found in kinds(seen, origins).items():
        counts = Counter(one.place for one in found if one and one.at >= begun and not one.inherited)
        places += [Place(what, place, count, counts.total()) for place, count in counts.items()]
    return sorted(places, key=lambda one: -one.count)


@dataclass(frozen=True)
class Kept:
    """Something that a process holds, or held when it ended. kind: socket, file, pipe, event loop. name: of a socket
    its remote, of a file its name, where they are known."""

    fd: int
    kind: str
    name: str
    opened: Opened


@dataclass(frozen=True)
class Remains:
    """What one recorded process held at its end, or holds now.

    how: "ended" as Python ends; "killed": by a signal or os._exit; "running". looked: whether anybody looked at what
    one that was killed held; else nothing is known of it.
    """

    pid: int
    python: str
    program: str
    how: Literal["ended", "killed", "running"]
    kept: tuple[Kept, ...]
    looked: bool = True
    notes: tuple[str, ...] = ()
