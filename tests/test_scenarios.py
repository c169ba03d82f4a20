"""Each scenario both ways, on the SDK of this environment and on those named; and the rules of the folder."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import replace
from typing import Any

import pytest
from conftest import GOLDEN

from hermes_diag.core.evidence import Evidence, Outcome
from hermes_diag.judge import scenarios
from hermes_diag.provider import faults
from hermes_diag.run import capture

NAMES = list(scenarios.catalogue())
PYTHONS = [sys.executable, *filter(None, [os.environ.get("HERMES_DIAG_OPENAI3_PYTHON")])]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("group", [NAMES[::3], NAMES[1::3], NAMES[2::3]], ids=["first", "second", "third"])
def test_it_shows_on_the_bad_client_and_not_on_the_good_one(cli: Any, group: list[str], python: str) -> None:
    """Real sockets, real SDK: exit code 0, and each is shown both ways or says why this SDK is spared."""
    done = cli("scenarios", *group, "--json", "--python", python)
    document = json.loads(done.stdout)
    assert done.returncode == 0, document["verdict"]
    assert [one["name"] for one in document["scenarios"]] == group
    for one in document["scenarios"]:
        assert one["status"] == "clean"
        spared = one["result"].startswith("does not happen on openai")
        assert bool(one["bad"]) is not spared, one
        assert not one["good"], one


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_is_well_formed(name: str) -> None:
    """A line, a report, faults that exist, and two cells that differ."""
    module = scenarios.catalogue()[name]
    assert 20 < len(scenarios.summary(name)) < 110
    assert re.fullmatch(r"#\d+(, #\d+)*", module.REFERENCE)
    bad, good = (scenarios.cell(name, side) for side in scenarios.SIDES)
    assert bad.fault == good.fault
    assert not bad.fault or faults.parse(bad.fault)
    assert (bad.strategy, bad.end, bad.conditions) != (good.strategy, good.end, good.conditions)


@pytest.mark.parametrize("name", NAMES)
def test_evidence_of_nothing_shows_nothing(name: str) -> None:
    """A cell in which nothing happened accuses nobody; one that was not measured gives no verdict."""
    for how, code in (("done", 1), ("died", 3)):
        empty = [
            Evidence(scenarios.cell(name, side), None, (), (), (), (), (), (), Outcome(how)) for side in scenarios.SIDES
        ]
        report = scenarios.judge(empty)
        assert (report.scenarios[0].bad, report.scenarios[0].good) == ("", "")
        assert report.exit_code == code


def test_a_symptom_on_the_good_client_is_a_problem() -> None:
    """Proved both ways means that the good client is looked at too."""
    cells = [scenarios.cell("collected-streams-deadlock", side) for side in scenarios.SIDES]
    hung = [Evidence(cell, None, (), (), (), (), (), (), Outcome("hung", "", ("x.py:1 f",))) for cell in cells]
    assert scenarios.judge(hung).scenarios[0].result == "shows on the good client too"


def test_a_fault_is_one_more_dimension(cli: Any) -> None:
    """repro --fault: a cell for each, named after it; what it does to the client is found."""
    flags = ["--strategy", "fixed", "--end", "close", "--workload", "steady", "--sessions", "1", "--turns", "4"]
    done = cli("repro", "--json", *flags, "--fault", "fin-mid-stream:every=2", "--fault", "gzip")
    document = json.loads(done.stdout)
    words = {one["name"]: one["word"] for one in document["cells"]}
    assert words["fixed/close/steady/fin-mid-stream:every=2"] == "fails"
    assert words["fixed/close/steady/gzip"] == "ok"
    assert done.returncode == 1
    assert "fin-mid-stream" in cli("repro", *flags, "--fault", "fin-mid-stream:every=2").stdout


def test_a_good_client_that_does_not_work_proves_nothing() -> None:
    """Silence acquits only a client whose turns came to a good end."""
    _, (works,) = capture.read(GOLDEN / "turns-failed.quiet.jsonl")
    _, (fails,) = capture.read(GOLDEN / "turns-failed.fires.jsonl")
    assert scenarios._works(works)
    assert not scenarios._works(fails)
    assert not scenarios._works(replace(works, turns=()))
