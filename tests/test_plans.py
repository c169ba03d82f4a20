"""The cells that commands make, and what is made of cells: kept in tests/golden/plans.txt and trials.txt
(golden_text.py writes them anew)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date

import golden_text
import msgspec
import pytest
from changed_evidence import CHECK, RUN, read
from conftest import GOLDEN

from hermes_diag.core.errors import UsageError
from hermes_diag.core.evidence import Evidence, Outcome, Standstill
from hermes_diag.core.plan import Plan, Then
from hermes_diag.core.status import RowStatus
from hermes_diag.judge import audit, check, dump_comparison, scenarios, settings, standstill, trials
from hermes_diag.judge.baseline import Baseline
from hermes_diag.run import payload

INFO = payload.load(None).info


def lines(plan: Plan) -> Iterator[str]:
    """A line for each cell: what is not as in any cell."""
    for cell in plan.cells:
        told = msgspec.to_builtins(cell)
        own = {field.name: told[field.name] for field in fields(cell)}
        own["conditions"] = {name: value for name, value in own["conditions"].items() if value not in (None, False, "")}
        yield json.dumps({name: value for name, value in own.items() if value not in (None, "", {}, [])})


def settled(**flags: object) -> settings.Settings:
    return settings.resolve([settings.flags(flags)], date(2026, 1, 1))


def plans() -> dict[str, Plan]:
    checked = {
        "check": settled(),
        "check buggy": settled(factory="buggy", workloads=["steady", "interrupted"]),
        "check of a factory": settled(factory="./c.py:make", faults=["http-500", "idle-reset:every=2"]),
        "check, strict": settled(factory="c:make", expect=["sdk-defaults"], workloads=["overlapping"]),
    }
    return {
        "audit fixed": audit.plan(INFO, "fixed"),
        "audit of a factory": audit.plan(INFO, "./c.py:make", ["timeout=9s"]),
        **{name: check.make(INFO, asked) for name, asked in checked.items()},
        "scenarios": scenarios.plan(INFO, scenarios.choose([])),
        "two scenarios": scenarios.plan(INFO, scenarios.choose(["cut-stream", "fd-limit", "cut-stream"])),
    }


def test_plans() -> None:
    """Which cells, with which conditions and sizes; what is expected."""
    text = ""
    for name, plan in plans().items():
        text += f"# {name}: {plan.payload.source}, expects {', '.join(plan.expect) or 'nothing'}\n"
        text += "".join(f"{line}\n" for line in lines(plan))
    golden_text.same(GOLDEN / "plans.txt", text)


def test_a_scenario_that_is_none() -> None:
    with pytest.raises(UsageError, match=r"no scenario 'cut-steam': did you mean cut-stream\?"):
        scenarios.choose(["fd-limit", "cut-steam"])


# --- what a cell was ------------------------------------------------------------------------------------


def test_trials() -> None:
    """Of each cell that is kept: its word, its problems, and what it left for each turn."""
    text = ""
    for name in (RUN, CHECK, "check-never-closes", "check-turn", "captures/hermes"):
        text += f"# {name}\n"
        for number, one in enumerate(read(name).evidence):
            if one.cell.workload != "audit":
                text += f"{one.cell.name}: {msgspec.to_builtins(trials.of(one, number / 3))}\n"
                text += f"  {trials.counts(trials.of(one, 1.0))}\n"
    steady = next(one for one in read(CHECK).evidence if one.cell.workload == "steady")
    odd = {
        "no turns": replace(steady, turns=()),
        "no looks": replace(steady, samples=()),
        "died": replace(steady, outcome=Outcome("died", "its process ended with exit code 7")),
        "two attempts": replace(steady, turns=(*steady.turns, replace(steady.turns[0], attempt=2))),
        "posts unknown": replace(steady, samples=tuple(replace(one, posts=None) for one in steady.samples)),
    }
    text += "".join(f"{name}: {msgspec.to_builtins(trials.of(one, 1.0))}\n" for name, one in odd.items())
    golden_text.same(GOLDEN / "trials.txt", text)


def stood(one: Evidence, **seconds: float) -> Evidence:
    return replace(one, standstills=tuple(Standstill(at=1.0, who=who, seconds=n) for who, n in seconds.items()))


def test_what_a_standstill_spoils() -> None:
    """A cell with which all is well counts all the same; one that judges its own evidence never does."""
    cells = {one.cell.workload: one for one in read(CHECK).evidence}
    assert standstill.spoilt(cells["steady"]) == ""
    assert standstill.spoilt(stood(cells["steady"], run=12)) == ""
    failing = replace(cells["steady"], turns=tuple(replace(turn, outcome="error") for turn in cells["steady"].turns))
    assert standstill.spoilt(failing) == ""
    assert standstill.spoilt(stood(failing, run=11.84)) == "the run stood still for 11.8 s"
    assert standstill.spoilt(stood(cells["audit"], worker=2)) == "the worker was stopped for 2.0 s"
    shown = next(one for one in read("scenarios-all").evidence)
    assert standstill.spoilt(stood(shown, clock=3600)) == "the clock was set by 3,600.0 s"
    twice = (Standstill(1.0, 2.0, "run"), Standstill(2.0, 1.0, "worker"), Standstill(3.0, 3.0, "run"))
    assert standstill.text(twice) == "the run stood still for 5.0 s and the worker was stopped for 1.0 s"
    assert standstill.text(()) == ""


# --- what was before ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (Then("", "", "", None, ""), "no error was recorded"),
        (Then("", "", "APIConnectionError", None, "Connection error."), "APIConnectionError: Connection error."),
        (Then("", "", "InternalServerError", 503, ""), "InternalServerError, HTTP 503"),
        (Then("", "", "", 503, "away"), "HTTP 503: away"),
        (Then("", "", "", None, "away"), "away"),
    ],
)
def test_what_a_dump_recorded(then: Then, words: str) -> None:
    """What there is of class, status and message."""
    assert dump_comparison.words(then) == words


def test_what_got_better() -> None:
    """What failed before, was looked at now, and fails no more: a promise by its name, a workload by the finding."""
    leaky, well, buggy = (read(name) for name in ("check-never-closes", CHECK, "check-buggy"))
    rows, now = check.rows(leaky.evidence), check.rows(well.evidence)
    assert Baseline("old", leaky.evidence).compare(now, rows, leaky.plan.cells).better == ("close-releases",)
    untold = tuple(replace(row, status=RowStatus.COULD_NOT_TELL) for row in now)
    assert Baseline("old", leaky.evidence).compare(untold, rows, leaky.plan.cells).better == ()
    allowed = tuple(replace(row, status=RowStatus.ALLOWED) for row in rows)
    assert Baseline("old", leaky.evidence).compare(allowed, rows, leaky.plan.cells).better == ()
    better = Baseline("old", buggy.evidence).compare(now, check.rows(buggy.evidence), buggy.plan.cells).better
    assert "closed-transport-reused in steady" in better
    assert "clients-separate" in better
