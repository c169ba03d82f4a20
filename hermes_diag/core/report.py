"""What was concluded of a run, an audit or a check. Frozen; the reporters print it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hermes_diag.core.evidence import Evidence, Outcome
from hermes_diag.core.plan import Cell, Plan
from hermes_diag.worker.contract import Hello


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
