"""Which of many candidates is the first that shows a finding: what to try next, how often, and the report. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hermes_diag.core.report import Row
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.core.trials import BisectReport, Step, Trial
from hermes_diag.judge.trials import counts

SHOWN, NOT_SHOWN, SKIPPED, NOT_TRIED, BEGUN = "shown", "not shown", "skipped", "not tried", "begun"
#: Runs of a candidate at least and at most, and the chance of a miss that is sought.
LEAST, MOST, MISS = 3, 20, 0.01
#: Candidates at most that a verdict names one by one.
_FEW = 5
#: A run of each of several workloads.
Run = tuple[Trial, ...]


def rate(shown: int, runs: int) -> float:
    """How often a racy finding shows, by Laplace's rule of succession: three of three is no certainty."""
    return (shown + 1) / (runs + 2)


def repetitions(shown: int, runs: int) -> int:
    """Runs without the finding that count as not shown, by how often the bad end showed it."""
    needed = math.ceil(math.log(MISS) / math.log(1 - rate(shown, runs)))
    return max(LEAST, min(MOST, needed))


def miss(shown: int, runs: int) -> float:
    """The chance that so many runs miss a finding that is as frequent as at the bad end."""
    return float((1 - rate(shown, runs)) ** repetitions(shown, runs))


def codes(run: Run) -> set[str]:
    """Problems that a run showed."""
    return {code for trial in run for code in trial.codes}


def seen(runs: Sequence[Run]) -> set[str]:
    """Problems that any of the runs showed."""
    return set[str]().union(*map(codes, runs))


def shows(runs: Sequence[Run], finding: set[str]) -> int:
    """In how many runs one of these findings showed."""
    return sum(bool(codes(run) & finding) for run in runs)


def border(states: Mapping[int, str], good: int, bad: int) -> tuple[int, int]:
    """The candidates nearest to each other of which one does not show it and one does, from the good end's side."""
    toward = 1 if bad > good else -1
    first = min((at for at, state in states.items() if state == SHOWN), key=lambda at: at * toward, default=bad)
    before = [at for at, state in states.items() if state == NOT_SHOWN and at * toward < first * toward]
    return max(before, key=lambda at: at * toward, default=good), first


def following(states: Mapping[int, str], good: int, bad: int) -> int | None:
    """The candidate to try next: in the middle of those that are open; None when there is none."""
    low, high = border(states, good, bad)
    between = range(min(low, high) + 1, max(low, high))
    tried = [at for at in between if states.get(at, NOT_TRIED) in (NOT_TRIED, BEGUN)]
    return min(tried, key=lambda at: abs(2 * at - low - high), default=None)


def report(
    steps: Sequence[Step],
    good: int,
    bad: int,
    finding: set[str],
    at_bad: tuple[int, int],
    subject: str,
    interrupted: bool = False,
) -> BisectReport:
    """What it comes to. at_bad: in how many of how many runs the bad end showed it."""
    states = {at: step.state for at, step in enumerate(steps)}
    near, far = border(states, good, bad)
    ends = states.get(good) == NOT_SHOWN and states.get(bad) == SHOWN
    sure = ends and abs(near - far) == 1
    first = steps[max(near, far)].name if sure else ""
    return BisectReport(
        command="bisect",
        subject=subject,
        status=Status.CLEAN if sure else Status.COULD_NOT_TELL,
        verdict=_verdict(steps, near, far, finding, sure, ends),
        stack=None,
        rows=tuple(_row(step, finding) for step in steps if step.state != NOT_TRIED),
        interrupted=interrupted,
        finding=tuple(sorted(finding)),
        first=first,
        steps=tuple(steps),
        repetitions=repetitions(*at_bad),
        miss=round(miss(*at_bad), 4),
    )


def _verdict(steps: Sequence[Step], near: int, far: int, finding: set[str], sure: bool, ends: bool) -> str:
    what = " or ".join(sorted(finding)) or "a problem"
    came = near < far
    older, newer = steps[min(near, far)], steps[max(near, far)]
    if sure and came:
        return f"{what} came with {newer.name}: {older.name} does not show it"
    if sure:
        return f"{what} went with {newer.name}: {older.name} still shows it"
    if not ends:
        return f"{what}: not both ends were tried"
    between = [step.name for step in steps[min(near, far) + 1 : max(near, far)]]
    few = f": {', '.join(between)}" if len(between) <= _FEW else ""
    which = f"{len(between)} between could not be measured or were not tried{few}"
    verb = "came" if came else "went"
    return f"{what} {verb} after {older.name}, with {newer.name} at the latest; {which}"


def _row(step: Step, finding: set[str]) -> Row:
    status = {SHOWN: RowStatus.FAILED, NOT_SHOWN: RowStatus.PASSED}.get(step.state, RowStatus.COULD_NOT_TELL)
    what = f"{' or '.join(sorted(finding))} does not show"
    return Row("step", step.name, "", what, status, told(step))


def told(step: Step) -> str:
    """A step in words: in how many runs it showed, and what a run left."""
    if step.missing:
        return f"{step.state}: {step.missing}"
    if step.state == BEGUN:
        return f"begun: shown in {step.shown} of {len(step.runs)} runs so far"
    best = next((run for run in step.runs if any(trial.codes for trial in run)), step.runs[0] if step.runs else ())
    left = "; ".join(f"{trial.workload}: {counts(trial)}" for trial in best)
    return f"{step.state} in {step.shown if step.state == SHOWN else len(step.runs)} of {len(step.runs)} runs; {left}"
