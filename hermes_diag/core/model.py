"""The host's data: a plan of cells, what was seen of each, what was concluded. Frozen, no logic.

No type here has a field for headers, keys, prompts or bodies: what cannot be stored cannot leak.
Times are seconds unless a name ends in `_ms`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from hermes_diag.core.sockets import CLOSE_WAIT as CLOSE_WAIT
from hermes_diag.core.sockets import ESTABLISHED as ESTABLISHED
from hermes_diag.core.sockets import SocketRow as SocketRow
from hermes_diag.worker.contract import HERMES as HERMES
from hermes_diag.worker.contract import ClientBuilt, Hello, Measured, TurnDone

#: States of which counts vary from run to run on the same cell: they depend on when the kernel gets
#: round to it (TIME_WAIT may be recycled early), never on the client under test.
RACY_STATES = ("FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSING", "LAST_ACK", "SYN_SENT", "SYN_RECV")


@dataclass(frozen=True)
class Then:
    """What a request dump says of the failure that it was written for; "" or None: it does not say."""

    at: str  # its time stamp
    reason: str  # why Hermes wrote it
    error: str  # the error's class, or the type that the provider gave
    status: int | None
    message: str  # its first line, redacted (redact.py)


@dataclass(frozen=True)
class PayloadInfo:
    """What may be said of a payload: where it came from, which API it is for, how large it is."""

    source: str  # "built-in", a file's name, never its content
    kind: str  # "built-in", "body" or "hermes-dump"
    api: str  # "responses" or "chat"
    size: int  # bytes of the body as replayed
    then: Then | None = None  # of a request dump


@dataclass(frozen=True)
class Cell:
    """One experiment: a strategy and a release under a workload, in a process of its own."""

    strategy: str
    release: str  # "close" or "abandon"; of Hermes, which releases as it does, "" or MUTATED
    workload: str
    sessions: int
    turns: int
    scope: str  # who shares one client_kwargs dict: "session" or "gateway"
    retries: int
    timeout: float  # for connect, read and write
    pool_timeout: float  # the longest wait for a free connection
    idle_close: float | None  # 0: an idle gap ends as soon as all is idle; None: never
    seed: int
    fault: str = ""  # a spec; "": none
    scenario: str = ""  # `cut-stream/bad`: the scenario and the side that this cell is of
    settings: tuple[tuple[str, str], ...] = ()  # conditions that a scenario sets up
    endpoint: str = ""  # host and path of the real one; "": a provider of our own
    payload: str = ""  # its source, where a plan has several; "": the plan's first

    @property
    def name(self) -> str:
        """`buggy/close/steady`, with a fault and a payload behind it; the control and the measurements have
        one word."""
        if self.scenario:
            return self.scenario
        if self.workload == AUDIT:
            return f"{AUDIT}/{dict(self.settings)[AUDIT]}"
        parts = [self.workload]
        if self.workload not in (FRESH, MEASURE):
            parts = [self.strategy, self.release, self.workload, self.fault]
        return "/".join(filter(None, (*parts, self.payload)))


#: The control (each turn in a new process) and the cell that measures prices and timeouts.
FRESH, MEASURE = "fresh", "measure"
#: The strategy that is the user's own; its spec is in the settings under the same name.
FACTORY = "factory"
#: The workload of an audit's cells; which part of it, is in the settings under the same name.
AUDIT = "audit"
#: The workload of Hermes alone: its own watchdogs give up silent streams.
ABORTED = "aborted"
#: Stands for the release of a Hermes into which the historic mutation was put back.
MUTATED = "mutated"


@dataclass(frozen=True)
class Plan:
    """What a run will do."""

    cells: tuple[Cell, ...]
    payload: PayloadInfo
    further: tuple[PayloadInfo, ...] = ()  # payloads

    @property
    def payloads(self) -> tuple[PayloadInfo, ...]:
        return (self.payload, *self.further)


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
class Served:
    """One request as the provider saw it."""

    turn: str  # "session/turn/attempt" as the loop named it
    connection: int
    status: int
    events: int  # sent
    finished: bool  # the whole response went out
    api: str = ""  # "responses" or "chat"; "": a request to another path


@dataclass(frozen=True)
class Connection:
    """One connection as the provider saw it."""

    serial: int
    requests: int
    bytes_in: int
    bytes_out: int
    closed_first: str  # "client", "provider", or "" while it was open at the end
    how: str  # "fin" or "reset", of whoever closed first


@dataclass(frozen=True)
class Happened:
    """Something happened on a connection of the provider. `at` in seconds since the epoch; counts are so
    far. Our own names and numbers only: nothing of what was sent."""

    at: float
    connection: int
    what: str  # opened, request, first byte, answered, broken off, half-closed, vanished, closed
    requests: int
    bytes_in: int
    bytes_out: int
    path: str = ""
    status: int = 0
    events: int = 0
    fault: str = ""
    closed_first: str = ""
    how: str = ""


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

    @property
    def barriers(self) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.label != "tick")

    def idle(self) -> tuple[Sample, ...]:
        """Samples of idle gaps, after the provider has closed what it wanted to close."""
        return tuple(sample for sample in self.samples if sample.label == "idle")


@dataclass(frozen=True)
class Finding:
    """What a rule concluded, with the numbers and turns it rests on."""

    code: str
    severity: str  # "problem", "cause" or "note"
    summary: str
    numbers: dict[str, float]
    turns: tuple[str, ...]
    remedy: str
    reference: str


@dataclass(frozen=True)
class Left:
    """What a cell has more at one of its barriers than before its first turn; None: could not be seen."""

    posts: int | None  # requests to the APIs that the provider got
    close_wait: int | None
    established: int | None
    ownerless: int | None  # ESTABLISHED, and nobody holds a descriptor
    reset: int | None  # descriptors in state CLOSE
    threads: int | None
    fds: int | None


@dataclass(frozen=True)
class CellReport:
    """One cell judged. Words: ok, fails, starves, leaks, repeats, hangs, too short, no result."""

    cell: Cell
    word: str
    expected: str
    as_expected: bool
    flaws: tuple[str, ...]  # causes found although the cell is to be clean
    ok: int
    interrupted: int
    errors: dict[str, int]
    close_wait_peak: int | None
    close_wait_left: int | None
    retries_made: int
    retries_helped: int
    findings: tuple[Finding, ...]
    outcome: Outcome
    missing: str  # why there is no result, "" when there is one
    left: Left | None = None  # of Hermes alone, in the last idle gap
    left_at_end: Left | None = None  # when held streams were finished, and the agents closed

    @property
    def attempts(self) -> int:
        return self.ok + self.interrupted + sum(self.errors.values())


@dataclass(frozen=True)
class Claim:
    """One claim of the bug report. Status: reproduced, partly, not reproduced or not tested."""

    code: str
    claim: str
    status: str
    conditions: str
    evidence: str


@dataclass(frozen=True)
class ScenarioResult:
    """One scenario judged: its status, and what was seen of the bad and of the good client ("": nothing)."""

    name: str
    summary: str
    reference: str
    status: str
    bad: str
    good: str


@dataclass(frozen=True)
class AuditRow:
    """One promise of a factory. Status: held, broken, not applicable or could not tell."""

    code: str
    promise: str
    status: str
    seen: str
    why: str
    reference: str


@dataclass(frozen=True)
class AuditReport:
    """An audit, judged. Without rows it could not be made; `frames` say where it stood then."""

    spec: str
    subject: dict[str, Any]  # kind, class of client, async
    stack: Hello | None
    rows: tuple[AuditRow, ...]
    verdict: str
    exit_code: int
    frames: tuple[str, ...] = ()


#: Statuses of what a check looked at; an allowance covers what is allowed, a baseline has what is known.
PASSED, FAILED, NOT_APPLICABLE, UNKNOWN, ALLOWED, KNOWN = (
    "passed", "failed", "not applicable", "could not tell", "allowed", "known",
)  # fmt: skip


@dataclass(frozen=True)
class CheckRow:
    """One thing that `check` looked at, with one of the six statuses."""

    kind: str  # "promise", "workload" or "limit"
    name: str  # the promise's code, the workload (with its fault behind it), the limit's name
    code: str  # what an allowance may name; "" where there is nothing to allow
    what: str  # what is asked for
    status: str
    seen: str
    remedy: str  # why it matters, or what to do
    reference: str
    numbers: dict[str, float] = field(default_factory=dict)
    note: str = ""  # why it does not fail, or how it differs from the baseline


@dataclass(frozen=True)
class Place:
    """A line of the user's code; `file` as the worker saw it, seen from its working folder."""

    file: str
    line: int | None


@dataclass(frozen=True)
class CheckReport:
    """A check, judged. `settings` are (name, value, source) of what is not default."""

    spec: str
    defined: Place | None
    stack: Hello | None
    rows: tuple[CheckRow, ...]
    settings: tuple[tuple[str, str, str], ...]
    better: tuple[str, ...]  # what the baseline has and this run has not
    notes: tuple[str, ...]
    verdict: str
    exit_code: int


@dataclass(frozen=True)
class Report:
    """A whole run, judged; what the reporters print."""

    plan: Plan
    stack: Hello | None
    cells: tuple[CellReport, ...]
    claims: tuple[Claim, ...]
    verdict: str
    exit_code: int
    evidence: tuple[Evidence, ...] = field(default=(), repr=False)
