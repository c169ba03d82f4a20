"""The reports of `matrix` and `bisect`: workloads tried on targets. Frozen."""

from __future__ import annotations

from dataclasses import dataclass, field

from hermes_diag.core.report import Report
from hermes_diag.worker.contract import Hello


@dataclass(frozen=True)
class Trial:
    """One workload on one target, once."""

    workload: str
    word: str  # as of a cell
    codes: tuple[str, ...]  # of the problems found
    summaries: tuple[str, ...]  # of each
    turns: int
    left: dict[str, float | None]  # by judge/trials.COUNTED, for each turn; None: could not be seen
    seconds: float
    missing: str = ""  # why there is no result


@dataclass(frozen=True)
class Tried:
    """One target with its trials. missing: why it could not be made or run."""

    name: str
    trials: tuple[Trial, ...] = ()
    stack: Hello | None = field(default=None)
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class MatrixReport(Report):
    """Of `matrix`."""

    targets: tuple[Tried, ...]


@dataclass(frozen=True)
class Step:
    """One candidate of a bisection. state: "shown", "not shown", "skipped", "not tried" or "begun"; shown: in so many
    of its runs. runs: each with a trial for each workload."""

    name: str
    state: str
    shown: int
    runs: tuple[tuple[Trial, ...], ...] = ()
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class BisectReport(Report):
    """Of `bisect`. steps: candidates from the oldest to the newest. first: the name of the one that was looked for, ""
    when it was not found. repetitions: how many runs without the finding count as not shown; miss: the chance that it
    was missed then."""

    finding: tuple[str, ...]
    first: str
    steps: tuple[Step, ...]
    repetitions: int
    miss: float
