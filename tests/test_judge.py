"""No verdict from half the evidence: whatever is missing, the cell has no result and the run no verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from conftest import GOLDEN

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.report import Report
from hermes_diag.judge import verdicts
from hermes_diag.run import capture

PLAN, (WHOLE,) = capture.read(GOLDEN / "stream-abandoned.quiet.jsonl")  # fixed/close/interrupted
_, (STEADY,) = capture.read(GOLDEN / "kwargs-mutated.quiet.jsonl")  # fixed/close/steady


def judged(evidence: Evidence) -> Report:
    return verdicts.report(replace(PLAN, cells=(evidence.cell,)), [evidence])


@pytest.mark.parametrize("evidence", [WHOLE, STEADY], ids=lambda one: one.cell.name)
def test_whole_evidence_is_judged(evidence: Evidence) -> None:
    """The known-good is good."""
    assert judged(evidence).exit_code == 0


@pytest.mark.parametrize(
    ("cut", "says"),
    [
        (lambda one: replace(one, turns=()), "0 of 10 turns"),
        (lambda one: replace(one, turns=one.turns[:-1]), "9 of 10 turns"),
        (lambda one: replace(one, samples=()), "no look was taken after the last turn"),
        (lambda one: replace(one, samples=one.samples[:-1]), "no look was taken after the last turn"),
        (lambda one: replace(one, served=()), "the provider sent 0"),
        (lambda one: replace(one, served=one.served[1:]), "the provider sent 0"),
        (lambda one: replace(one, served=tuple(replace(x, events=3) for x in one.served)), "the provider sent 3"),
        (lambda one: replace(one, outcome=replace(one.outcome, how="died", detail="killed")), "killed"),
    ],
)
def test_what_is_missing_is_named(cut: Callable[[Evidence], Evidence], says: str) -> None:
    """Turns, looks, the provider's side: exit code 3 and the cell."""
    report = judged(cut(STEADY))
    assert report.exit_code == 3
    assert f"could not measure {STEADY.cell.name}" in report.verdict
    assert says in report.verdict
    assert report.cells[0].word == "no result"
