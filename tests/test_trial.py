"""What can be put on trial, and who is to blame: turns of the user's own, pools with few places, hangs, the fence."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cells import ran

from hermes_diag.core import matrix
from hermes_diag.core.plan import Plan
from hermes_diag.core.report import CheckReport
from hermes_diag.judge import check, settings
from hermes_diag.run import payload
from hermes_diag.worker import supervised

FILE = Path(__file__).with_name("turns.py")
#: Seconds: twice what a busy machine needs for any call here; those that hang are waited for in each cell.
PATIENCE = 3.0
TURNS = 60
SOUND = ["plain", "azure", "OneAtATime", "one_after_the_other", "cached", "FillsUp"]
LEAK = ["now_and_then", "leaks", "leaks_when_cancelled", "NeverFull"]
BREAK = ["closes_what_others_read", "loses_its_place", "raises", "LosesPlaces", "own_headers", "far_away"]


def checks(names: Iterable[str]) -> dict[str, CheckReport]:
    body = payload.load(None)
    today = datetime.date(2026, 1, 1)
    flags = {"workloads": ["interrupted", "overlapping"]}
    layers = {name: settings.flags({"factory": f"{FILE}:{name}", **flags}) for name in names}
    wanted = {name: settings.resolve([layer], today) for name, layer in layers.items()}
    plans = {name: _tuned(check.make(body.info, one)) for name, one in wanted.items()}
    seen = ran(cell for plan in plans.values() for cell in plan.cells)
    found = {name: [seen[cell] for cell in plan.cells] for name, plan in plans.items()}
    return {name: check.judge(plan, found[name], wanted[name].asked()) for name, plan in plans.items()}


def _tuned(plan: Plan) -> Plan:
    """With PATIENCE, and no more TURNS than it takes a pool to fill up and to stay so."""
    plan = matrix.patient(plan, PATIENCE)
    cells = (replace(cell, conditions=replace(cell.conditions, until_sure=TURNS)) for cell in plan.cells)
    return replace(plan, cells=tuple(cells))


def problems(report: CheckReport) -> list[tuple[str, str]]:
    return [(row.name, row.code) for row in report.rows if row.status == "failed"]


def test_sound_ones() -> None:
    """Nothing is held against them; a turn has no promises, and of a pool of one place not all can be tried."""
    reports = checks(SOUND)
    found = {name: (report.exit_code, problems(report)) for name, report in reports.items()}
    assert found == dict.fromkeys(SOUND, (0, []))
    assert {row.kind for row in reports["plain"].rows} == {"workload"}
    row = next(row for row in reports["OneAtATime"].rows if row.code == "close-spares-others")
    assert (row.status, row.seen) == ("not applicable", "the pool hands out one client at a time")


def test_what_leaks() -> None:
    """In all turns, now and then, in cancelled turns only, in a pool that is never full."""
    reports = checks(LEAK)
    assert {name: (report.exit_code, problems(report)) for name, report in reports.items()} == {
        "now_and_then": (1, [("overlapping", "close-wait-grows")]),
        "leaks": (1, [("interrupted", "close-wait-grows"), ("overlapping", "close-wait-grows")]),
        "leaks_when_cancelled": (1, [("interrupted", "close-wait-grows")]),
        "NeverFull": (1, [("overlapping", "close-wait-grows")]),
    }


def test_what_breaks_and_whose_fault_it_is() -> None:
    """A turn that raises, an acquire that does not return any more, headers in the place of ours, a proxy that cannot
    be reached here."""
    reports = checks(BREAK)
    # A stream whose socket another thread closes ends in an error, or is waited for until its timeout.
    killed = problems(reports["closes_what_others_read"])
    assert killed
    assert {*killed} <= {("overlapping", code) for code in ("stream-killed", "turns-failed", "worker-hung")}
    assert {name: (report.exit_code, problems(report)) for name, report in reports.items()} == {
        "closes_what_others_read": (1, killed),
        "loses_its_place": (1, [("interrupted", "worker-hung")]),
        "raises": (1, [("interrupted", "turns-failed"), ("overlapping", "turns-failed")]),
        "LosesPlaces": (1, [(name, "worker-hung") for name in ("audit", "interrupted", "overlapping")]),
        "own_headers": (3, []),
        "far_away": (3, []),
    }
    assert "sk-do-not" not in str(reports["raises"])
    hung = next(row.seen for row in reports["LosesPlaces"].rows if row.name == "interrupted")
    assert "no return within 3 s while calling acquire()" in hung
    assert "turns.py" in hung
    (untold,) = [row for row in reports["own_headers"].rows if row.status == "could not tell"]
    assert untold.code == "kwargs-not-mutated"
    assert untold.seen.startswith("could not be tried: TypeError while calling the factory")
    allowed = settings.Allowance("kwargs-not-mutated", "it is ours", datetime.date(2027, 1, 1))
    assert check._allowed(untold, [allowed]).status == "allowed"
    assert "it wants 10.1.2.3:3128; a trial reaches loopback only" in reports["far_away"].verdict


class Told:
    """The host's end: what it is told, and how a call that hangs ends."""

    def __init__(self) -> None:
        self.slow: list[dict[str, object]] = []
        self.ended = threading.Event()
        self.failed: Any = None

    def send(self, fact: Any) -> None:
        self.slow.append(fact.value)

    def give_up(self, failed: Any) -> None:
        self.failed = failed
        self.ended.set()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it in tenths of a second."""
    for name, seconds in (("PATIENCE", 0.2), ("IMPORT_PATIENCE", 30.0), ("SLOW", 0.1)):
        monkeypatch.setattr(supervised, name, seconds)
    supervised.SupervisedCall.begin({})


@pytest.mark.usefixtures("hasty")
def test_a_slow_import_is_waited_for() -> None:
    """Longer than the time after which a call counts as hanging; the host is told that it goes on."""
    told = Told()
    with supervised.SupervisedCall(told, supervised.IMPORTING):
        assert not told.ended.wait(0.6)
    assert told.slow[0]["doing"] == "importing the factory"


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(("before", "blame"), [(False, "factory"), (True, "hang")])
def test_who_is_to_blame_for_a_call_that_does_not_return(before: bool, blame: str) -> None:
    """The first call says nothing of clients; one that had returned before is a hang."""
    told = Told()
    if before:
        with supervised.SupervisedCall(told, "calling acquire()"):
            pass
    with supervised.SupervisedCall(told, "calling acquire()"):
        assert told.ended.wait(30)
    assert told.failed.blame == blame


def test_a_call_leaves_no_thread_of_ours() -> None:
    """Those of the worker are counted from outside: one that ends late would be held against the user's code."""
    supervised.SupervisedCall.begin({})
    for _ in range(100):
        with supervised.SupervisedCall(Told(), "calling release()"):
            pass
        assert "supervisor" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.usefixtures("hasty")
def test_a_call_that_works_is_slow_and_does_not_hang() -> None:
    """What uses the processor gets several times the patience, and ends all the same."""
    told = Told()
    begun = time.process_time()
    with supervised.SupervisedCall(told, "calling the factory"):
        while not told.ended.is_set() and time.process_time() - begun < 30:
            pass
    assert told.failed.error.startswith("no return within 1 s")
