"""What was seen of each cell. Frozen; the rules read nothing else.

Times are seconds unless a name ends in `_ms`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from hermes_diag.core.plan import Cell
from hermes_diag.worker.contract import ClientBuilt, Hello, Measured, Pools, TurnDone

#: States of which counts vary from run to run on the same cell: they depend on when the kernel gets
#: round to it (TIME_WAIT may be recycled early), never on the client under test.
RACY_STATES = ("FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSING", "LAST_ACK", "SYN_SENT", "SYN_RECV")


@dataclass(frozen=True)
class Sample:
    """One look at a worker's sockets from outside.

    `states` counts sockets towards the provider by remote endpoint, whoever owns them; `owned` those
    that belong to the worker's pid. A number that could not be had is None.
    """

    at: float  # seconds since the cell began
    late: float  # how much later than due the sample was taken
    label: str  # the barrier's label, or "tick"
    turns: int  # turns begun so far (0 for a tick)
    states: dict[str, int]
    owned: dict[str, int]
    keepalive: int | None  # of the worker's ESTABLISHED ones, those whose keepalive timer runs
    unlisted: int | None  # TCP fds that are in no TCP table: sockets in state CLOSE
    fds: int | None
    threads: int | None
    rss: int | None  # bytes
    posts: int | None = None  # requests to the APIs that the provider has seen so far

    def ownerless(self, state: str) -> int:
        """Sockets in that state that no process owns."""
        return max(0, self.states.get(state, 0) - self.owned.get(state, 0))


@dataclass(frozen=True)
class Moved:
    """Sockets towards the provider that are in another state than at the look before, whoever owns them.

    `to` names the new state and the local ports of its sockets; "" is the state of those that are gone.
    """

    at: float  # seconds since the cell began
    to: dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Served:
    """One request as the provider saw it."""

    turn: str  # "session/turn/attempt" as the loop named it
    connection: int
    status: int
    events: int  # sent
    finished: bool  # the whole response went out
    api: str = ""  # "responses", "chat", "completions" or "messages"; "": it asked for no reply
    #: Seconds by the provider's clock at which the request was here, and at which its answer was out; None: not known.
    at: float | None = None
    over: float | None = None
    wait: float | None = None  # seconds for which the answer told the client to wait; None: it told of none
    code: str = ""  # of a refusal whose status does not tell it: insufficient_quota, usage_limit_reached, ...
    retry: int | None = None  # how often the SDK says that it has tried before; None: it does not say
    alike: int = 0  # equal for requests that ask the same with the same credentials; 0: not known


@dataclass(frozen=True)
class Connection:
    """One connection as the provider saw it."""

    serial: int
    requests: int
    bytes_in: int
    bytes_out: int
    closed_first: str  # "client", "provider", or "" while it was open at the end
    how: str  # "fin", "reset" or "close frame" (of a WebSocket), of whoever closed first
    port: int = 0  # of the client
    #: Seconds since the cell began, or the provider; None: not known, or open until the end.
    opened: float | None = None
    closed: float | None = None


@dataclass(frozen=True)
class Happened:
    """Something happened on a connection of the provider. `at` in seconds since the epoch; counts are so
    far. Our own names and numbers only: nothing of what was sent."""

    at: float
    connection: int
    #: opened, TLS refused, speaks HTTP/2, request, upgrade, asked for and not here, first byte, answered, broken off,
    #: sent GOAWAY, half-closed, vanished, closed, phase, ...
    what: str
    requests: int
    bytes_in: int
    bytes_out: int
    method: str = ""
    path: str = ""
    over: str = ""  # of a request: "WebSocket", or "upgrade" when it asks for one
    status: int = 0
    events: int = 0
    fault: str = ""
    closed_first: str = ""
    how: str = ""
    phase: str = ""  # of a plan, which begins: "2 of 4: resets, 30 s"


@dataclass(frozen=True)
class Standstill:
    """A time in which a cell could not go on, since something was stopped (SIGSTOP) or slept with the machine."""

    at: float  # when it was over: seconds since the cell began
    seconds: float
    #: run: hermes-diag itself, and so the provider, too. clock: nothing stood still, the clock was set by so much.
    who: Literal["run", "worker", "clock"]


@dataclass(frozen=True)
class Repeated:
    """Nothing that was recorded of the cell before counts; as a rule it is run once more."""

    why: str


@dataclass(frozen=True)
class Outcome:
    """How a cell ended: "done", "died", "hung" or "cut" (interrupted before its end)."""

    how: Literal["done", "died", "hung", "cut"]
    detail: str = ""
    frames: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """Everything that was seen of one cell; what the rules read."""

    cell: Cell
    stack: Hello | None
    clients: tuple[ClientBuilt, ...]
    turns: tuple[TurnDone, ...]
    samples: tuple[Sample, ...]
    served: tuple[Served, ...]
    connections: tuple[Connection, ...]
    measured: tuple[Measured, ...]
    outcome: Outcome
    facts: dict[str, Any] = field(default_factory=dict)  # by name: of an audit, and where a subject is defined
    moved: tuple[Moved, ...] = ()  # for pictures; captures of earlier releases have none
    standstills: tuple[Standstill, ...] = ()
    repeated: tuple[Repeated, ...] = ()  # each time that the cell was run before
    pools: tuple[Pools, ...] = ()  # at each barrier; none where no client was seen, or its pool is not httpcore's

    @property
    def through_proxy(self) -> int | None:
        """Connections that our CONNECT proxy was asked for; None where there was none, or it was not counted."""
        return self._count("proxy_connects")

    @property
    def fault_acted(self) -> int | None:
        """How often the cell's fault did something to a request or a connection; None where that was not counted."""
        return self._count("fault_acted")

    def _count(self, name: str) -> int | None:
        return next((int(one.value) for one in self.measured if one.name == name), None)

    @property
    def barriers(self) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.label != "tick")

    def idle(self) -> tuple[Sample, ...]:
        """Samples of idle gaps, after the provider has closed what it wanted to close."""
        return tuple(sample for sample in self.samples if sample.label == "idle")
