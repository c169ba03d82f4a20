"""The verdict on retries: real clients in the loop, under quotas and refusals, and what cannot be told."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from cells import ran
from conftest import GOLDEN
from provider_tools import OPENAI_3

from hermes_diag.core import matrix
from hermes_diag.core.evidence import Evidence, Served
from hermes_diag.core.report import CellReport
from hermes_diag.judge import retries, verdicts
from hermes_diag.judge.rules import retries_multiplied, retry_too_early
from hermes_diag.run import capture, payload

FILE = Path(__file__).with_name("turns.py")
#: Four requests a second, one at once: no wait is longer than 0.25 s, but where it is rounded up to a second.
LIMITED = "rate-limit=240:burst=1"
#: What is run: a turn or a factory of turns.py, the fault, sessions, and what is found of its retries.
CASES: Mapping[str, tuple[str, str, int, set[str]]] = {
    "the SDK waits for seconds": ("plain", LIMITED, 1, set()),
    "the SDK waits for a date": ("plain", f"{LIMITED}:retry_after=date", 1, set()),
    "the SDK waits for milliseconds": ("plain", f"{LIMITED}:retry_after=ms", 1, set()),
    "an application waits": ("waits_as_told", f"{LIMITED}:retry_after=ms", 1, set()),
    "an application does not wait": ("hurries", f"{LIMITED}:retry_after=ms", 1, {"retry-too-early"}),
    "nor for seconds": ("hurries", LIMITED, 1, {"retry-too-early"}),
    "nor for a date": ("hurries", f"{LIMITED}:retry_after=date", 1, {"retry-too-early"}),
    "nobody said how long": ("hurries", f"{LIMITED}:retry_after=none", 1, set()),
    "an SDK that does not wait": ("brisk", f"{LIMITED}:retry_after=ms", 2, {"retry-too-early"}),
    "an SDK that waits, two sessions": ("of_the_sdk", f"{LIMITED}:retry_after=ms", 2, set()),
    "a 400 is left alone": ("plain", "http-400", 1, set()),
    "a 400 is tried again": ("hurries", "http-400", 1, {"refusal-retried"}),
    "a 500 may be tried again": ("hurries", "http-500", 1, set()),
    "no credit": ("hurries", "insufficient-quota", 1, {"refusal-retried"}),
    "no credit, tried once": ("tries_once", "insufficient-quota", 1, set()),
    "the plan is used up": ("hurries", "usage-limit-reached", 1, {"refusal-retried"}),
    "more tokens than a minute has": ("asks_too_much", "rate-limit=600:tokens=100", 1, {"refusal-retried"}),
    "both retry": ("multiplies", "http-500", 1, {"retries-multiplied"}),
    "the SDK retries": ("retries_once", "http-500", 1, set()),
    "both retry, named": ("brisk", "http-500", 2, {"retries-multiplied"}),
    "whose retries they are cannot be told": ("hurries", "http-400", 3, set()),
    "without a fault": ("multiplies", "", 1, set()),
}  # fmt: skip
OF_RETRIES = {"retry-too-early", "refusal-retried", "retries-multiplied"}
PYTHONS = [
    pytest.param(sys.executable, id="openai2"),
    pytest.param(OPENAI_3, id="openai3", marks=pytest.mark.skipif(not OPENAI_3, reason="no Python with openai 3")),
]


@pytest.mark.parametrize("python", PYTHONS)
def test_each_client_is_judged_by_what_the_provider_saw(python: str) -> None:
    """Each rule finds the client that does it, and none of those that do not."""
    reports = _run(python)
    found = {name: {one.code for one in report.findings} & OF_RETRIES for name, report in reports.items()}
    assert found == {name: codes for name, (*_, codes) in CASES.items()}
    numbers = {name: _numbers(report) for name, report in reports.items()}
    assert numbers["both retry"]["retries-multiplied"]["most"] == 9
    assert numbers["both retry"]["requests-per-turn"]["most"] == 9
    assert numbers["the SDK retries"]["requests-per-turn"] == {"turns": 2, "requests": 6, "most": 3}
    assert numbers["a 400 is tried again"]["refusal-retried"]["again"] == 4
    untold = numbers["whose retries they are cannot be told"]
    assert untold["retries-untold"] == {"requests": 18}
    assert "requests-per-turn" not in untold
    assert "requests-per-turn" not in numbers["without a fault"]


def _numbers(report: CellReport) -> dict[str, Mapping[str, float]]:
    return {one.code: one.numbers for one in report.findings}


def _run(python: str) -> dict[str, CellReport]:
    body = payload.load(None)
    cells = {}
    for case, (name, fault, sessions, _) in CASES.items():
        again = 1 if case == "both retry, named" else 0  # of the loop
        sizes = matrix.Sizes(sessions, 2, retries=again)
        faults = (fault,) if fault else ()
        cells[case] = matrix.for_factory(body.info, f"{FILE}:{name}", (), ("steady",), sizes, faults).cells[0]
    evidence = ran(cells.values(), python)
    return {case: verdicts.cell(evidence[cell]) for case, cell in cells.items()}


# --- pure --------------------------------------------------------------------------------------------


def one(at: float, **given: object) -> Served:
    """A request of turn 1/1/1 that was answered at once."""
    seen = Served("1/1/1", 1, 500, 0, True, "responses", at=at, over=at + 0.001, retry=0, alike=7)
    return replace(seen, **given)  # type: ignore[arg-type]


def evidence(*served: Served) -> Evidence:
    """That of a real run, with these requests."""
    _, (found,) = capture.read(GOLDEN / "requests-per-turn.quiet.jsonl")
    return replace(found, served=served)


@pytest.mark.parametrize(
    ("wait", "after", "early"),
    [(1.0, 0.5, True), (1.0, 0.89, True), (1.0, 0.95, False), (1.0, 1.0, False), (0.01, 0.006, False), (0.01, 0, True),
     (60.0, 59.8, True), (60.0, 59.95, False), (None, 0.0, False)],
)  # fmt: skip
def test_how_early_is_too_early(wait: float | None, after: float, early: bool) -> None:
    hit = retry_too_early.check(evidence(one(1.0, status=429, wait=wait), one(1.001 + after)))
    assert (hit is not None) == early


def test_another_question_and_another_turn_are_no_retry() -> None:
    """A tool round asks something else; the next turn asks the same, and is no retry of this one."""
    refused = one(1.0, status=429, wait=1.0)
    assert retry_too_early.check(evidence(refused, one(1.1, alike=8))) is None
    assert retry_too_early.check(evidence(refused, one(1.1, turn="1/2/1"))) is None
    assert retry_too_early.check(evidence(refused, one(1.1, api="chat"))) is None
    assert retry_too_early.check(evidence(refused, one(1.1))) is not None


def test_the_same_asked_twice_at_once_tells_nothing() -> None:
    both = one(1.0, status=429, wait=1.0, over=1.2), one(1.1, status=429, wait=1.0, over=1.2)
    assert retries.again((*both, one(1.3))) == ()
    assert retry_too_early.check(evidence(*both, one(1.3))) is None


def test_a_loop_that_is_no_loop_around_retries_multiplies_nothing() -> None:
    """Three calls, each tried once; a client that does not count; retries that helped before the next call."""
    assert retries_multiplied.check(evidence(*(one(at) for at in (1, 2, 3)))) is None
    uncounted = [one(at, retry=None) for at in (1, 2, 3, 4)]
    assert retries_multiplied.check(evidence(*uncounted)) is None
    helped = [one(1), one(2, retry=1, status=200), one(3), one(4, retry=1, status=200)]
    assert retries_multiplied.check(evidence(*helped)) is None
    vain = [one(1), one(2, retry=1), one(3), one(4, retry=1)]
    assert retries_multiplied.check(evidence(*vain)) is not None


def test_a_capture_of_an_earlier_release_tells_nothing_of_retries() -> None:
    """It has no times, so nothing is said of waits that may have been kept."""
    sent = retries.sent(evidence(*(replace(one(at), at=None, over=None) for at in (1, 2))))
    assert (sent.attempts, sent.untold) == ({}, 0)
