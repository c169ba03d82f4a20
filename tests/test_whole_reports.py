"""The whole report of each capture that is kept, as it was recorded: every status, number and sentence of it.

The captures are those of real runs (scripts/golden.py, scripts/golden_reports.py); what they say is in
tests/golden/reports/ (golden_text.py writes it anew).
"""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import golden_text
import pytest
from changed_evidence import VARIED, look
from conftest import GOLDEN

from hermes_diag.cli import report
from hermes_diag.core.errors import UsageError
from hermes_diag.core.evidence import Evidence, Outcome, Sample
from hermes_diag.core.report import Report
from hermes_diag.core.trials import Step, Trial, Tried
from hermes_diag.judge import bisection, scenarios, trials
from hermes_diag.judge.leftovers import grown
from hermes_diag.run import capture

REPORTS = GOLDEN / "reports"
#: Of a look only sockets are told, which nobody judges.
CAPTURES = [path for path in sorted(GOLDEN.rglob("*.jsonl*")) if not path.name.startswith("look")]
#: Those that are reported of their first half, too: as a run was killed.
CUT = ("audit-right", "captures-run", "captures-watch", "check-never-closes", "repro-faults", "scenarios-all")


def name_of(path: Path) -> str:
    folder = "" if path.parent in (GOLDEN, REPORTS) else f"{path.parent.name}-"
    return folder + path.name.partition(".jsonl")[0]


def said(path: Path) -> str:
    """What `report` makes of a capture; the refusal where it cannot be judged."""
    try:
        found, notes = report.read(path)
    except UsageError as exc:
        return f"{exc.whole}\n".replace(str(path), path.name)
    return "".join(f"{note}\n".replace(str(path), path.name) for note in notes) + golden_text.of(found)


@pytest.mark.parametrize("path", CAPTURES, ids=name_of)
def test_a_report_is_as_recorded(path: Path) -> None:
    """Whatever is changed in the judgement shows here."""
    golden_text.same(REPORTS / f"{name_of(path)}.txt", said(path))


@pytest.mark.parametrize("path", [path for path in CAPTURES if name_of(path) in CUT], ids=name_of)
def test_a_report_of_half_a_capture(path: Path, tmp_path: Path) -> None:
    """What is missing is named, and acquits nobody."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    lines = data.splitlines(keepends=True)
    half = tmp_path / "half.jsonl"
    half.write_bytes(b"".join(lines[: len(lines) // 2]))
    golden_text.same(REPORTS / f"{name_of(path)}.half.txt", said(half))


def test_no_report_without_its_capture() -> None:
    """What is kept is compared."""
    compared = {*map(name_of, CAPTURES), *(f"{name}.half" for name in CUT), *JUDGED}
    assert {path.name.removesuffix(".txt") for path in REPORTS.glob("*.txt")} == compared


# --- reports of which no capture is written -------------------------------------------------------------

LEFT = {"posts": 0.25, "established": 1.0, "close_wait": 0.0, "threads": None, "fds": -2.5}


def trial(word: str, *codes: str, workload: str = "steady", missing: str = "", **left: float) -> Trial:
    return Trial(workload, word, codes, tuple(f"{code} grew" for code in codes), 4, {**LEFT, **left}, 1.25, missing)


LEAKS, WELL = trial("leaks", "threads-grow", "descriptors-grow"), trial("ok", posts=0, established=0, fds=0)
#: Targets of a matrix: one of each kind.
TRIED = (
    Tried("leaks", (LEAKS, trial("ok", workload="overlapping", threads=-1.0))),
    Tried("well", (WELL,)),
    Tried("short", (trial("too short", "threads-grow"), trial("no result", missing="the worker died"))),
    Tried("gone", missing="cannot be had"),
    Tried("waiting"),
)
MATRICES = {
    "matrix": TRIED,
    "matrix-well": TRIED[1:2],
    "matrix-both-well": (TRIED[1], replace(TRIED[1], name="other")),
    "matrix-untold": TRIED[1:],
    "matrix-gone": TRIED[3:4],
    "matrix-two-well": (*TRIED[1:2], replace(TRIED[1], name="other"), TRIED[3]),
}


def steps(states: str) -> list[Step]:
    """A step for each letter: shown, not shown, missing (skipped), untried, begun."""
    made = []
    for number, letter in enumerate(states):
        runs = ((WELL,), (LEAKS, WELL), (LEAKS,))
        made.append({
            "s": Step(f"1.{number}", bisection.SHOWN, 2, runs),
            "n": Step(f"1.{number}", bisection.NOT_SHOWN, 0, ((WELL,),) * 3),
            "m": Step(f"1.{number}", bisection.SKIPPED, 0, missing="cannot be had"),
            "u": Step(f"1.{number}", bisection.NOT_TRIED, 0),
            "b": Step(f"1.{number}", bisection.BEGUN, 1, runs[:2]),
        }[letter])  # fmt: skip
    return made


#: name -> (states of the candidates, the good end, the bad end)
BISECTIONS = {
    "bisect-came": ("nunsus", 0, 5),
    "bisect-went": ("susnun", 5, 0),
    "bisect-after": ("nmmmmms", 0, 6),
    "bisect-long-after": ("nmmmmmms", 0, 7),
    "bisect-went-after": ("smmn", 3, 0),
    "bisect-begun": ("nubus", 0, 4),
    "bisect-one-end": ("nuuuu", 0, 4),
    "bisect-other-end": ("uuuus", 0, 4),
    "bisect-none": ("uuu", 0, 2),
}


def sides(name: str) -> dict[str, Evidence]:
    """The evidence of both sides of a scenario, as recorded."""
    _, evidence = capture.read(REPORTS / "scenarios-all.jsonl.gz")
    return {side: one for one in evidence for side in scenarios.SIDES if one.cell.scenario == f"{name}/{side}"}


def scenario(name: str, **changed: Evidence) -> Report:
    """A scenario with another evidence of its sides."""
    both = {**sides(name), **changed}
    named = [replace(both[side], cell=scenarios.cell(name, side)) for side in scenarios.SIDES]
    return scenarios.judge(named, interrupted=len(changed) > 1)


def _spared() -> Report:
    seen = sides("collected-streams-deadlock")
    newer = replace(seen["good"], stack=replace(seen["good"].stack, openai="3.1.0"))
    return scenario("collected-streams-deadlock", bad=newer, good=newer)


def _not_shown(name: str) -> Report:
    return scenario(name, bad=sides(name)["good"])


def _shown_twice(name: str) -> Report:
    return scenario(name, good=sides(name)["bad"])


def _fails(name: str) -> Report:
    _, (failing,) = capture.read(GOLDEN / "turns-failed.fires.jsonl")
    return scenario(name, good=failing)


def _lost(name: str) -> Report:
    seen = sides(name)
    return scenario(name, bad=replace(seen["bad"], outcome=Outcome("died", "its process ended with exit code 7")))


def _bisected(states: str, good: int, bad: int) -> Report:
    finding = {"threads-grow", "fds"} if "m" in states else {"threads-grow"} if "n" in states else set()
    return bisection.report(steps(states), good, bad, finding, (2, 3), "x:make", interrupted="b" in states)


JUDGED = {
    **{name: lambda tried=tried: trials.report(tried, "x:make") for name, tried in MATRICES.items()},
    "matrix-interrupted": lambda: trials.report(TRIED[:1], "x:make", interrupted=True),
    **{name: lambda asked=asked: _bisected(*asked) for name, asked in BISECTIONS.items()},
    "scenario-not-shown": lambda: _not_shown("idle-close-wait"),
    "scenario-shown-twice": lambda: _shown_twice("idle-close-wait"),
    "scenario-fails": lambda: _fails("idle-close-wait"),
    "scenario-lost": lambda: _lost("idle-close-wait"),
    "scenario-spared": _spared,
    **VARIED,
}


@pytest.mark.parametrize("name", JUDGED)
def test_a_report_of_what_no_command_has_written(name: str) -> None:
    """Of a matrix, a bisection, a scenario that does not come out as reported, and evidence that was changed."""
    golden_text.same(REPORTS / f"{name}.txt", golden_text.of(JUDGED[name](), brief=name in VARIED))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (look(), look(), ""),
        (look(), look(fds=10, CLOSE_WAIT=1), "1 CLOSE_WAIT socket"),
        (look(CLOSE_WAIT=1), look(fds=12, CLOSE_WAIT=3, ESTABLISHED=1), "2 CLOSE_WAIT sockets, 1 ESTABLISHED socket"),
        (look(), look(fds=10, TIME_WAIT=4), ""),
        (look(unlisted=2), look(fds=10, unlisted=3), "1 socket in state CLOSE"),
        (look(unlisted=1), look(fds=11, unlisted=3), "2 sockets in state CLOSE"),
        (look(unlisted=2), look(fds=12, unlisted=1), "3 other descriptors"),
        (look(), look(fds=11), ""),
        (look(), look(fds=12), "3 other descriptors"),
        (look(), look(fds=14, LISTEN=1, unlisted=1), "1 LISTEN socket, 1 socket in state CLOSE, 3 other descriptors"),
        (look(fds=None), look(fds=99), ""),
        (look(), look(fds=None), ""),
        (look(), look(threads=5), ""),
        (look(), look(threads=6), "3 threads"),
        (look(threads=None), look(threads=None), ""),
        (look(threads=0), look(threads=3), "3 threads"),
    ],
)  # fmt: skip
def test_what_has_grown(before: Sample, after: Sample, words: str) -> None:
    """Of three clients: sockets one by one, threads and other descriptors when there is one more for each."""
    assert grown(before, after, 3) == words
