"""What was seen of a live process: one look, and the samples of a watch. Frozen, no logic.

No type here has a field for command lines, environments or data in transit: what cannot be stored
cannot leak. Times are seconds unless a name ends in `_ms`; None is "could not be seen".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from hermes_diag.core.errors import INTERRUPTED
from hermes_diag.core.sockets import SocketRow
from hermes_diag.core.status import Status


@dataclass(frozen=True)
class Process:
    """One process as its system describes it."""

    pid: int
    name: str  # the short name that the kernel keeps, never the command line
    started: float  # seconds since the epoch
    threads: int | None
    rss: int | None  # bytes
    fds: int | None
    soft_limit: int | None  # of open fds; None: unknown, or without limit
    kinds: dict[str, int] | None = None  # fds by kind: "TCP", "unix", "pipe", "file", "SQLite", ...
    sqlite: dict[str, int] | None = None  # fds by the base name of the SQLite file
    stopped: bool = False  # by a signal or a debugger: it can do nothing until it is told to go on


@dataclass(frozen=True)
class Missing:
    """Something that could not be seen, why, and what would show it."""

    what: str
    why: str
    cure: str


@dataclass(frozen=True)
class Holding:
    """The descriptors and threads of one process by identity."""

    pid: int
    version: int  # another number: the descriptors are other ones
    fds: Mapping[str, tuple[str, str]]  # number -> kind, and where its link points
    threads: frozenset[int]


@dataclass(frozen=True)
class Reader:
    """A thread that waits in a read of a TCP socket."""

    pid: int
    tid: int
    thread: str  # the Python thread's name where py-spy tells it, else the name that the kernel keeps
    fd: int
    closed: bool  # the descriptor was closed while the thread read, and may be another file by now
    remote: tuple[str, int] | None
    seconds: float | None  # it has waited for so long at least; None: this kernel does not say
    silent: float | None  # nothing has come for so long on the socket
    lines: tuple[str, ...] = ()  # where it stands: the innermost line of a library, then of the program's own code


@dataclass(frozen=True)
class Look:
    """One look at a process, or at a process and its descendants."""

    at: float  # seconds since the epoch
    processes: tuple[Process, ...]  # the one asked for comes first
    rows: tuple[SocketRow, ...]  # its sockets
    unowned: tuple[SocketRow, ...]  # towards the same remotes, and nobody holds a descriptor of them
    closed: tuple[tuple[int, int, int | None], ...] | None  # (pid, fd, inode) of TCP sockets that are only an fd
    listening: frozenset[int]  # local ports on which the process accepts
    missing: tuple[Missing, ...]
    backend: str
    why: str  # why this backend
    held: tuple[Holding, ...] | None = None  # None: this system tells numbers only
    ports: int | None = None  # how many the system has to give to connections; None: unknown
    readers: tuple[Reader, ...] = ()  # of a single look, on Linux


@dataclass(frozen=True)
class Watched:
    """What a watch was of: the first line of its capture."""

    pid: int
    name: str
    started: float  # of the process, seconds since the epoch
    begun: float  # of the watch, seconds since the epoch
    interval: float
    backend: str
    why: str
    children: bool = False
    states: tuple[str, ...] = ()  # the filters
    remotes: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()
    conditions: tuple[str, ...] = ()  # of --fail-on, as they were written


@dataclass(frozen=True)
class Ports:
    """Ports that connections to one endpoint take, of all that there are for them."""

    endpoint: str
    taken: int
    waiting: int  # of these: in TIME_WAIT
    size: int  # of the range


@dataclass(frozen=True)
class Queue:
    """Connections that wait until a listener accepts them, where no more fit."""

    endpoint: str
    waiting: int
    size: int
    since: float = 0.0  # of a watch: when it was first seen so


@dataclass(frozen=True)
class Lived:
    """Things of one kind that a sample saw for the first time, and those that it missed."""

    born: int = 0
    died: tuple[tuple[float, int], ...] = ()  # (when the sample was that saw them first, how many)


class Moved(NamedTuple):
    """A socket that is followed by itself is in another state than at the sample before, or is new."""

    serial: int  # of the socket in this watch
    state: str  # "": it is gone
    endpoint: str = ""  # said when it is seen first
    port: int = 0  # its own; of a client of the process that of the client


@dataclass(frozen=True)
class Tick:
    """One sample of a watch."""

    at: float  # since the watch began
    late: float  # how much later than due the sample was taken
    states: dict[str, int]  # sockets that the process holds
    unowned: dict[str, int]  # sockets towards the same remotes that nobody holds
    closed: int | None  # TCP sockets that exist only as an fd
    processes: int
    fds: int | None
    limit: int | None  # the soft limit of the process that is nearest to its own
    used: float | None  # fds of that process as a part of its limit, 0 to 1
    threads: int | None
    rss: int | None
    remotes: dict[str, dict[str, int]] = field(default_factory=dict)  # endpoint -> state -> count
    elsewhere: int = 0  # sockets of further endpoints, those with the fewest
    each: dict[int, tuple[int, int | None]] = field(default_factory=dict)  # pid -> its fds, its soft limit
    entered: dict[str, int] = field(default_factory=dict)  # state -> sockets that came into it since the last sample
    opened: dict[str, int] = field(default_factory=dict)  # endpoint -> sockets opened since the last sample
    gone: dict[str, int] = field(default_factory=dict)
    oldest: dict[str, float] = field(default_factory=dict)  # state -> seconds that one is in it at least
    #: What came and went since the last sample, each thing by its identity: a state, "sockets" of any state, "fds",
    #: "threads", "fds KIND", "to ENDPOINT", "file PATH", "fds of PID".
    lives: dict[str, Lived] = field(default_factory=dict)
    unread: dict[str, int] = field(default_factory=dict)  # state -> sockets with data that waits to be read
    untouched: dict[str, int] = field(
        default_factory=dict
    )  # those of which nothing was read for 10 s, or since the watch began
    ports: Ports | None = None  # where the greater part of them is taken
    queue: Queue | None = None  # the fullest, if one is full
    shared: int = 0  # connections that more than one of the processes holds
    moved: tuple[Moved, ...] = ()  # of the sockets that are followed by themselves
    still: float = 0.0  # seconds since the last sample in which the process, or the watch itself, was stopped or asleep


@dataclass(frozen=True)
class Ended:
    """Why a watch ended."""

    how: Literal["done", "interrupted", "exited", "replaced", "lost", "condition", "cut"]
    detail: str = ""


@dataclass(frozen=True)
class Course:
    """How one number went during a watch. Words: steady, growing, bursty, too short, unknown."""

    name: str
    word: str
    text: str  # the word explained, with its numbers
    first: int = 0
    last: int = 0
    low: int = 0
    high: int = 0
    per_hour: float | None = None
    per_hour_low: float | None = None  # of the interval that holds the true rate 19 times in 20
    per_hour_high: float | None = None
    at_most: float | None = None  # per hour; faster growth would have shown
    pace: float = 0.0  # per hour: the rate of a number that grows, else how fast its base rose
    seconds: float = 0.0  # from the first sample to the last
    interval: float = 0.0  # seconds from sample to sample, on average
    stay: int = 0  # so many that came in the watch stay; where only numbers are known: their rise
    tells: float | None = None  # of a watch that was too short: seconds after which one would tell


@dataclass(frozen=True)
class Place:
    """Where things were opened that came during a watch and stayed, as the recorder of the process says it."""

    what: str  # a state of sockets, a kind of descriptors, "threads"
    place: str  # "": it is not known
    count: int
    of: int  # so many came and stayed in all


@dataclass(frozen=True)
class Held:
    """A --fail-on condition and what was found: held is None when it could not be told."""

    condition: str
    held: bool | None
    found: str


@dataclass(frozen=True)
class Summary:
    """A whole watch, judged."""

    watched: Watched
    samples: int
    seconds: float
    worst_late: float
    missed: int  # samples that were due, and could not be taken in time
    ended: Ended
    courses: tuple[Course, ...]  # CLOSE_WAIT, fds, threads, then other states that were seen
    until_limit: float | None  # seconds until the first process reaches its soft fd limit, at its own rate
    limit: int | None  # of that process, else of the one that is nearest to its own
    opened: dict[str, int]
    gone: dict[str, int]
    oldest: dict[str, float]  # state -> the longest that one socket was in it at least
    last: Tick | None
    status: Status
    verdict: str
    conditions: tuple[Held, ...]
    places: tuple[Place, ...] = ()  # the most frequent first
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        return INTERRUPTED if self.interrupted else self.status.exit_code
