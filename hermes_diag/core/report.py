"""What was concluded: findings, rows, and the report of each kind of run. Frozen; the reporters print it.

Every report has the same base (`Report`): a status, a verdict in one sentence, the stack under test, rows
and findings. What only one kind of run has stands in its subclass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hermes_diag.core.errors import INTERRUPTED
from hermes_diag.core.evidence import Evidence, Outcome
from hermes_diag.core.plan import Cell, Plan
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.worker.contract import Hello

#: Something that could not be judged; who reads nothing of it takes it for judged, and clean.
UNTOLD = "could not tell"
#: The worst first.
SEVERITIES = ("problem", "cause", UNTOLD, "note")


@dataclass(frozen=True)
class Finding:
    """What a rule concluded, with the numbers and turns it rests on."""

    code: str
    severity: str  # one of SEVERITIES
    summary: str
    numbers: dict[str, float]
    turns: tuple[str, ...]
    remedy: str
    reference: str
    where: str = ""  # the cell, promise or number that it is about

    @property
    def rank(self) -> int:
        """Its place in an order with the worst first."""
        return SEVERITIES.index(self.severity) if self.severity in SEVERITIES else len(SEVERITIES)


@dataclass(frozen=True)
class Row:
    """One thing that was looked at: a promise, a cell, a condition, a scenario."""

    kind: str  # "promise", "workload", "condition", "cell", "scenario", ...
    name: str  # the promise's code, the workload (with its fault behind it), the condition
    code: str  # what an allowance may name; "" where there is nothing to allow
    what: str  # what is asked for
    status: RowStatus
    seen: str
    why: str = ""  # it matters
    remedy: str = ""  # what to change
    reference: str = ""
    numbers: dict[str, float] = field(default_factory=dict)
    note: str = ""  # why it does not fail, or how it differs from the baseline


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

    @property
    def anything(self) -> bool:
        """Whether there is more of something; a socket that is in another state than before is none more."""
        sockets = (self.close_wait or 0) + (self.established or 0) + (self.reset or 0)
        return any(count is not None and count > 0 for count in (sockets, self.threads, self.fds))


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
    missed: int = 0  # turns that were over before they were given up: they say nothing
    compared: str = ""  # of what got recycled descriptor numbers, in words: how much of each kind was looked at

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
class Scenario:
    """One scenario judged: what was seen of the bad and of the good client ("": nothing)."""

    name: str
    summary: str
    reference: str
    status: Status
    result: str  # in words
    bad: str
    good: str


@dataclass(frozen=True)
class Place:
    """A line of the user's code; `file` as the worker saw it, seen from its working folder."""

    file: str
    line: int | None


@dataclass(frozen=True, kw_only=True)
class Report:
    """What every run ends with. `subject` is what was put to the test, as the user named it; `evidence` is of the cells
    that can be drawn."""

    command: str
    subject: str
    status: Status
    verdict: str
    stack: Hello | None
    rows: tuple[Row, ...] = ()
    findings: tuple[Finding, ...] = ()
    interrupted: bool = False
    evidence: tuple[Evidence, ...] = field(default=(), repr=False)

    @property
    def exit_code(self) -> int:
        return INTERRUPTED if self.interrupted else self.status.exit_code


@dataclass(frozen=True, kw_only=True)
class RunReport(Report):
    """Of `repro`, `replay`, `hermes` and `live`: a matrix of cells."""

    plan: Plan
    cells: tuple[CellReport, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True, kw_only=True)
class AuditReport(Report):
    """Without rows the audit could not be made; `frames` say where it stood then."""

    kind: str = ""  # factory, pool, instance or strategy
    client: str = ""  # the class of its clients
    is_async: bool = False
    frames: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CheckReport(Report):
    """`settings` are (name, value, source) of what is not default."""

    defined: Place | None
    settings: tuple[tuple[str, str, str], ...] = ()
    better: tuple[str, ...] = ()  # what the baseline has and this run has not
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ScenariosReport(Report):
    """Of `scenarios`."""

    scenarios: tuple[Scenario, ...]


@dataclass(frozen=True)
class Seen:
    """One thing as one of the compared captures has it. bad: between which two numbers lies how bad it is, None: it has
    no number."""

    status: RowStatus
    code: str  # of the problem, "" without one
    text: str
    bad: tuple[float, float] | None = None


@dataclass(frozen=True)
class Change:
    """One thing in all compared captures, in their order; None: that capture has it not.

    word: "worse", "fixed", "differs", "not told", "only in some" or "same", of the last capture against the first.
    """

    kind: str
    name: str
    word: str
    seen: tuple[Seen | None, ...]

    @property
    def still_failing(self) -> bool:
        """Whether it failed in the first and in the last capture."""
        return all(one is not None and one.status == RowStatus.FAILED for one in (self.seen[0], self.seen[-1]))


@dataclass(frozen=True, kw_only=True)
class ComparedReport(Report):
    """Of `report A B...`: captures side by side; what changed comes first. names: of the captures. others: what else
    differs between them, their releases for example."""

    names: tuple[str, ...]
    verdicts: tuple[str, ...]
    changes: tuple[Change, ...]
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Learnt:
    """One kind of thing. examples: some of them, of secrets what they look like and their lines, never themselves."""

    what: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class LearntReport(Report):
    """Of `report --check`; the subject is the name of the file."""

    found: tuple[Learnt, ...]


def named(rows: Iterable[Row], status: RowStatus) -> list[str]:
    """Rows of a status as a sentence names them: the promise or limit, or `code in workload`; each once."""
    return list(
        dict.fromkeys(
            f"{row.code} in {row.name}" if row.kind == "workload" and row.code else row.name
            for row in rows
            if row.status == status
        )
    )
