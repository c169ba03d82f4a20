"""Every rule is proved both ways on captures of real runs (scripts/golden.py records them)."""

from __future__ import annotations

import re
from dataclasses import replace
from types import ModuleType

import pytest
from conftest import GOLDEN

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.report import SEVERITIES
from hermes_diag.judge import rules, verdicts
from hermes_diag.reporters.formats import terminal
from hermes_diag.run import capture


def golden(name: str) -> Evidence:
    _, (evidence,) = capture.read(GOLDEN / name)
    return evidence


@pytest.mark.parametrize("rule", rules.modules(), ids=lambda rule: rule.CODE)
def test_rule_fires_and_stays_quiet(rule: ModuleType) -> None:
    """It finds the known-bad and leaves the known-good alone."""
    hit = rule.check(golden(f"{rule.CODE}.fires.jsonl"))
    assert hit is not None
    assert hit.summary
    assert hit.numbers
    assert rule.check(golden(f"{rule.CODE}.quiet.jsonl")) is None


@pytest.mark.parametrize("rule", rules.modules(), ids=lambda rule: rule.CODE)
def test_rule_is_whole(rule: ModuleType) -> None:
    """A stable code like its file's name, a severity, a known word, a one-sentence remedy."""
    assert rule.__name__.rpartition(".")[2] == rule.CODE.replace("-", "_")
    assert rule.__doc__
    assert rule.SEVERITY in SEVERITIES
    assert rule.WORD in (*rules.WORDS, "")
    assert rule.REMEDY.endswith(".")
    assert (rule.SEVERITY == "problem") == (rule.WORD in rules.WORDS[:-1])


def test_the_turns_named_are_the_turns_that_failed() -> None:
    """A finding rests on turns: each is in the evidence, and each failed."""
    evidence = golden("closed-transport-reused.fires.jsonl")
    (finding,) = [one for one in rules.findings(evidence) if one.code == "closed-transport-reused"]
    failed = [f"{turn.session}/{turn.turn}/{turn.attempt}" for turn in evidence.turns if turn.outcome == "error"]
    assert list(finding.turns) == failed
    assert finding.numbers["attempts"] == len(failed) == 8


def test_the_hang_names_the_line_that_hangs() -> None:
    """The stack's innermost frame is the client's, not the worker's own listener."""
    hit = rules.findings(golden("worker-hung.fires.jsonl"))[0]
    assert "stuck.py" in hit.summary
    assert "create_client" in hit.summary


def test_no_golden_capture_names_a_path_of_a_machine() -> None:
    """Stacks and sources are kept relative."""
    for path in GOLDEN.glob("*.jsonl"):
        text = path.read_text()
        assert '"/' not in text, path.name
        assert "site-packages" not in text, path.name


def test_how_a_client_differs_is_no_cause() -> None:
    """It is a note, but for limits where a pool was exhausted: there they were reached."""
    exhausted = golden("pool-exhausted.fires.jsonl")
    small = replace(golden("limits-shrunk.fires.jsonl"), turns=exhausted.turns)
    for evidence, severity in ((replace(small, turns=()), "note"), (small, "cause")):
        found = {one.code: one.severity for one in rules.findings(evidence)}
        assert found["limits-shrunk"] == severity
    for code in ("timeout-changed", "keepalive-lost"):
        found = {one.code: one.severity for one in rules.findings(golden(f"{code}.fires.jsonl"))}
        assert found[code] == "note"


_NOUNS = (
    "POST|attempt|bystander|call|cell|client|connection|error|event|gap|promise|request|socket|stream|thread|time|turn"
)


def test_one_thing_is_not_many() -> None:
    """In every sentence of every recorded run."""
    wrong = re.compile(rf"(?<![\d.,/:-])(?<!of )\b1 (?:[A-Za-z_]+ )?(?:{_NOUNS})s\b")
    for path in GOLDEN.glob("*.jsonl"):
        shown = terminal.render(verdicts.report(*capture.read(path)), 200, verbose=True)
        assert wrong.findall(shown) == [], path.name
