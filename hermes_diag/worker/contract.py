"""What host and worker say to each other.

Host and each lane of the worker have one private socket pair: commands one way, events the other,
each a JSON object on a line. Python 3.9 and the standard library only: this file is read by the
host and by the worker in a stranger's interpreter.

    host    -> worker   a Job, then one line with the payload; `go` after each barrier
    worker  -> host     Hello (or Unfit), then for each Job: Started ... Done, Exited

The payload travels on a line of its own, so that no type here has a field it could be stored in.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Dict, FrozenSet, Literal, Mapping, Optional, Tuple

# Typing aliases, not `X | None`: the worker runs on 3.9 and the host resolves these hints at runtime.

#: Version of this conversation; a worker and a host of different releases refuse each other.
PROTOCOL = 3

#: Request headers by which the loop tells the provider which turn a request belongs to and which
#: fault it wants (the value is "session/turn/attempt", and a name in `provider/faults/`).
TURN_HEADER = "x-hermes-diag-turn"
FAULT_HEADER = "x-hermes-diag-fault"

GO = "go"

#: The strategy that is no file of ours: the real Hermes Agent of the target Python.
HERMES = "hermes"

#: Stands for an exception class in the chain of a turn whose stream ended without a terminal event:
#: the SDK raises nothing then.
NO_TERMINAL_EVENT = "hermes_diag.NoTerminalEvent"

#: Parts of exception texts that decide a cause and hold no user data. An event names the part that matched; the text
#: itself is never sent: it may quote a body or a token.
PHRASES = ("client has been closed", "Event loop is closed", "can't start new thread")

#: A number that may be below zero. What reads a file refuses that of any other (core/bounds.py).
BELOW_ZERO = "may be below zero"
BelowZero = Annotated[int, BELOW_ZERO]


@dataclass(frozen=True)
class Job:
    """One cell, as the worker needs to know it. Times in seconds."""

    cell: str
    strategy: str
    end: str  # of a turn: "close", "abandon" or "forget"
    workload: str
    sessions: int
    turns: int
    scope: str
    retries: int
    timeout: float
    pool_timeout: float  # the longest wait for a free connection
    seed: int
    barriers: int
    api: str
    base_url: str
    settings: Mapping[str, Any] = field(default_factory=dict)  # made by run/job.py; what is as usual is left out


@dataclass(frozen=True)
class Hello:
    """The stack under test, said once by each worker after its imports."""

    protocol: int
    python: str
    openai: str
    http: str
    core: str
    h11: str
    system: str
    import_ms: float
    max_connections: int  # the SDK's default limits
    max_keepalive: int
    read_timeout: float  # the SDK's default, seconds
    hermes: str = ""  # the release of Hermes Agent there, "" when there is none


@dataclass(frozen=True)
class Unfit:
    """This interpreter cannot be the worker's: its Python or its SDK is too old."""

    what: Literal["Python", "openai"]
    found: str
    least: str


@dataclass(frozen=True)
class Started:
    """A process of its own has taken the job."""

    pid: int


@dataclass(frozen=True)
class ClientBuilt:
    """One SDK client left the factory. Serials name objects: equal serials are the same object."""

    serial: int
    session: int
    role: str  # "shared" or "request"; of a subject with clients of its own "pooled" or "singleton"
    http_client: int
    transport: int
    mutated: Tuple[str, ...]  # names of the keys that the factory added to or changed in its argument
    max_connections: Optional[int]
    max_keepalive: Optional[int]
    read_timeout: Optional[float]  # the SDK client's own, seconds


@dataclass(frozen=True)
class TurnDone:
    """One attempt at one turn. `chain` is the exception classes, outermost first.

    "missed": it was to be given up, by its user or a watchdog, and was over before, so that it says nothing.
    """

    session: int
    turn: int
    attempt: int
    outcome: Literal["ok", "interrupted", "error", "missed"]
    events: int
    ms: float
    first_event_ms: Optional[float]
    http_client: int
    chain: Tuple[str, ...] = ()
    errno: Optional[BelowZero] = None  # those of getaddrinfo() are below zero
    phrase: Optional[str] = None
    status: Optional[int] = None
    at: Optional[float] = None  # when the host heard of it: seconds since the cell began; the worker leaves it out


@dataclass(frozen=True)
class Barrier:
    """The worker stands still until `go`. `turns` counts the turns that have begun so far.

    At "hold" no snapshot is taken: the provider holds the stream of the next request that says nothing of faults.
    """

    label: Literal["start", "hold", "held", "idle", "end", "before", "closed", "failed", "dropped", "collected"]
    turns: int


@dataclass(frozen=True)
class Pools:
    """At a barrier, of the pools behind the clients that were built and still live: the one that keeps most places for
    nothing, of those the fullest. Said just before the barrier."""

    turns: int  # begun so far
    pools: int  # how many there are
    limit: Optional[int]  # places that it has; None: as many as are asked for
    connections: int  # places that it counts as taken
    idle: int
    queued: int  # requests that wait for a place
    without_socket: int  # of the places: no socket is open, and no request uses it
    failed_tunnels: int  # of these: the proxy opened the tunnel, and its TLS failed


@dataclass(frozen=True)
class Measured:
    """One number from the `measure` cell."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True)
class Fact:
    """Where a subject is defined, or one thing that an audit saw: names, numbers and class names of the SDK, of
    what the user wrote only keys of client_kwargs, a file's name and a line."""

    name: str
    value: Any


@dataclass(frozen=True)
class Done:
    """The job is finished; its process is about to leave."""


@dataclass(frozen=True)
class Failed:
    """The worker itself broke, or the user's factory, but not a client under test; or what a SPEC names is not there.

    Frames are `file:line function`, innermost last.
    """

    error: str
    frames: Tuple[str, ...]
    blame: Literal["worker", "factory", "spec", "hang"] = "worker"  # hang: a call did not return that had before


@dataclass(frozen=True)
class Exited:
    """The job's process is gone. `code` is negative for a signal, as in `subprocess`."""

    code: BelowZero


EVENTS: Mapping[str, type] = {
    "hello": Hello,
    "unfit": Unfit,
    "started": Started,
    "client": ClientBuilt,
    "turn": TurnDone,
    "barrier": Barrier,
    "pools": Pools,
    "measured": Measured,
    "fact": Fact,
    "done": Done,
    "failed": Failed,
    "exited": Exited,
}
NAMES: Mapping[type, str] = {kind: name for name, kind in EVENTS.items()}

_WORKING = frozenset({"client", "turn", "barrier", "pools", "measured", "fact", "done", "failed", "exited"})

#: Which event may follow which; None is the beginning. Anything else is a broken worker.
FOLLOWS: Mapping[Optional[str], FrozenSet[str]] = {
    None: frozenset({"hello", "unfit", "failed"}),
    "hello": frozenset({"started", "failed", "exited"}),
    "started": _WORKING,
    "client": _WORKING,
    "turn": _WORKING,
    "barrier": _WORKING,
    "pools": _WORKING,
    "measured": _WORKING,
    "fact": _WORKING,
    "done": frozenset({"exited"}),
    "failed": frozenset({"exited"}),
    "exited": frozenset({"started", "failed", "exited"}),
}


def to_line(event: Any) -> Dict[str, Any]:
    """An event as the JSON object that crosses the pipe."""
    return {"event": NAMES[type(event)], **asdict(event)}
