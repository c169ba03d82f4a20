"""What a worker may say as a Fact, by name: the types of its values. Whoever says a new one adds it here.

A capture with a fact of another type is refused; one of another name is left out (core/capture.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

from hermes_diag.worker.contract import BelowZero

#: The exception classes of an attempt, outermost first; none: it ended well.
Chain = list[str]
#: How many of each, the most frequent first.
Counts = list[tuple[str, int]]


class Defined(TypedDict):
    """Where something of the user's is defined (worker/spec.py)."""

    file: str
    line: int | None


class Opened(TypedDict, total=False):
    """How many of what a worker holds were opened at which place, and the ports of its sockets (run/origins.py)."""

    sockets: Counts
    others: Counts
    threads: Counts
    ports: dict[str, list[int]]


class Exhausted(TypedDict):
    """A pool that gave no connection (worker/replay.py)."""

    taken: int
    sockets: int


class Harm(TypedDict):
    """A file or connection that was damaged (worker/bystanders.py). record: type and minor version of a TLS record."""

    kind: str
    number: int
    turn: str
    foreign: int
    lost: int
    record: tuple[Literal[20, 21, 22, 23], int] | None
    error: str


class Recycled(TypedDict):
    """What became of the descriptor numbers of streams that were given up (worker/workloads/recycled.py)."""

    turns: int
    numbers: int
    again: int
    kinds: NotRequired[dict[str, int]]
    harm: list[Harm]
    early: NotRequired[int]
    closed_early: NotRequired[int]
    opened: NotRequired[int]


class Slow(TypedDict):
    """A call of the user's code (worker/supervised.py)."""

    doing: str
    seconds: int


# --- of an audit: worker/workloads/audit.py ----------------------------------------------------------

Subject = TypedDict("Subject", {"kind": str, "client": str, "async": bool})


class Mutation(TypedDict):
    """Keys of client_kwargs."""

    added: list[str]
    removed: list[str]
    replaced: list[str]
    changed: list[str]


class Sharing(TypedDict):
    """How many clients there were, and how many parts of each kind they have in common."""

    clients: int
    client: int
    http_client: int
    transport: int
    pool: int
    mount: int


class Closed(TypedDict):
    """Whether a client was handed out closed, or with a closed http_client."""

    client: bool
    http_client: bool


class Around(TypedDict):
    """How a turn failed before and after another client was closed."""

    before: Chain
    after: Chain


class Socket(TypedDict):
    """Options of a socket; None: not on this platform."""

    keepalive: bool
    idle: int | None
    interval: int | None
    count: int | None
    nodelay: bool
    port: NotRequired[int]


class Waits(TypedDict):
    """Seconds; None: without end."""

    connect: float | None
    read: float | None
    write: float | None
    pool: float | None


class Timeouts(TypedDict):
    """The client's own, those of its http_client, the SDK's."""

    client: Waits
    http_client: Waits
    default: Waits


class Stall(TypedDict):
    """What a client did whose first byte did not come; None: it waited."""

    stalled: float
    gave_up_after: float | None
    chain: Chain


class Pool(TypedDict):
    """Limits of a pool, and whether it was told to set SO_KEEPALIVE."""

    where: str
    max_connections: int | None
    max_keepalive: int | None
    keepalive_asked: bool
    expiry: NotRequired[float | None]
    retries: NotRequired[int | None]


class Http(TypedDict):
    """How an http_client finds its proxy."""

    trust_env: bool
    own_proxy: bool


FACTS: Mapping[str, Any] = {
    "asked": int | float | None,
    "awaited": list[float],
    "closed_again": Closed,
    "closed_twice": str,
    "default_limits": tuple[int, int],
    "defined": Defined | None,
    "exhausted": Exhausted,
    "failed": Chain,
    "first_turn": Chain,
    "freed": int,
    "http": Http,
    "idle_close": Around,
    "max_retries": BelowZero | float | None,
    "mutation": Mutation,
    "opened": Opened,
    "places": int,
    "pools": list[Pool],
    "proxy_given": bool,
    "recycled": Recycled,
    "refused": list[str],
    "retried_turn": str,
    "sharing": Sharing,
    "sharing_turns": list[str],
    "slow": Slow,
    "sockets": list[Socket],
    "stall": Stall,
    "stream_close": Around,
    "subject": Subject,
    "threads": Counts,
    "timeouts": Timeouts,
    "turn": Chain,
    "untried": list[str],
}
