"""Evidence of a plan's cells to a Report: words, findings, claims, verdict, exit code. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hermes_diag import causes, claims, plan, rules
from hermes_diag.errors import COULD_NOT_MEASURE, OK, PROBLEM
from hermes_diag.model import CLOSE_WAIT, CellReport, Evidence, Plan, Report


def report(plan_: Plan, evidence: Sequence[Evidence]) -> Report:
    """Judge a run. Half the evidence gives no verdict: such a run could not be measured."""
    cells = tuple(map(cell, evidence))
    verdict, exit_code = _verdict(cells)
    stack = next((one.stack for one in evidence if one.stack), None)
    return Report(plan_, stack, cells, claims.weigh(evidence), verdict, exit_code, tuple(evidence))


def cell(evidence: Evidence) -> CellReport:
    """Judge one cell."""
    findings = rules.findings(evidence)
    measured = evidence.outcome.how in ("done", "hung")
    word = rules.word(findings) if measured else "no result"
    expected = plan.expected(evidence.cell)
    outcomes = Counter(turn.outcome for turn in evidence.turns)
    errors = Counter(causes.surface(turn) for turn in evidence.turns if turn.outcome == "error")
    close_wait = [sample.states.get(CLOSE_WAIT, 0) for sample in evidence.barriers]
    retries = [turn for turn in evidence.turns if turn.attempt > 1]
    return CellReport(
        cell=evidence.cell,
        word=word,
        expected=expected[0] if expected else "",
        as_expected=not expected or word in expected,
        ok=outcomes["ok"],
        interrupted=outcomes["interrupted"],
        errors=dict(errors),
        close_wait_peak=max(close_wait, default=None),
        close_wait_left=close_wait[-1] if close_wait else None,
        retries_made=len(retries),
        retries_helped=sum(turn.outcome != "error" for turn in retries),
        findings=findings,
        outcome=evidence.outcome,
    )


def _verdict(cells: Sequence[CellReport]) -> tuple[str, int]:
    unmeasured = [one for one in cells if one.word == "no result"]
    if unmeasured:
        # A worker that died comes before cells that were merely not reached.
        first = min(unmeasured, key=lambda one: one.outcome.how != "died")
        return f"could not measure {first.cell.name}: {first.outcome.detail}", COULD_NOT_MEASURE
    broken = [one for one in cells if not one.as_expected]
    if broken:
        named = ", ".join(f"{one.cell.name} {one.word} (expected: {one.expected})" for one in broken)
        return f"not as the bug report predicts: {named}", PROBLEM
    faulty = [one for one in cells if one.cell.fault and one.word not in ("ok", "too short")]
    if faulty:
        return "with a fault: " + ", ".join(f"{one.cell.name} {one.word}" for one in faulty), PROBLEM
    short = [one.cell.name for one in cells if one.word == "too short"]
    note = f"; too few idle gaps to tell growth in {', '.join(short)}" if short else ""
    return f"as the bug report predicts{note}", OK
