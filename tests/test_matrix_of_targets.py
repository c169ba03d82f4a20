"""`matrix` and `bisect`: targets side by side, and the first one that shows a finding."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import wheels
from conftest import ROOT, Cli
from test_environments import git
from test_hermes_agent import needs_releases, python_of
from test_schema import valid

from hermes_diag.core.errors import UsageError
from hermes_diag.core.trials import Trial, Tried
from hermes_diag.judge import bisection as judged
from hermes_diag.judge import trials
from hermes_diag.judge.bisection import SKIPPED
from hermes_diag.run import bisection
from hermes_diag.run.bisection import Bisection, Known
from hermes_diag.run.environments import base, candidates
from hermes_diag.run.environments.installer import Installer

SPEC = f"{ROOT / 'tests' / 'by_release.py'}:make"


def trial(*codes: str, missing: str = "") -> Trial:
    return Trial("steady", "leaks" if codes else "ok", codes, codes, 4, {}, 1.0, missing)


@pytest.fixture
def releases(tmp_path: Path) -> list[str]:
    """Interpreters that stand for five releases: a wrapper each, that says which one it is."""
    made = []
    for number in range(1, 6):
        path = tmp_path / f"python{number}"
        path.write_text(f'#!/bin/sh\nRELEASE={number} exec {sys.executable} "$@"\n')
        path.chmod(0o755)
        made.append(str(path))
    return made


def found(count: int, good: int, bad: int, shows: dict[int, list[bool]], missing: tuple[int, ...] = ()) -> Bisection:
    """A bisection over candidates of which each run shows it or not, as scripted; the last word is repeated."""
    counts: dict[int, int] = {}

    def once(at: int, _: int = 1) -> Tried:
        if at in missing:
            return Tried(str(at), missing="cannot be had")
        counts[at] = counts.get(at, 0) + 1
        script = shows.get(at, [False])
        return Tried(str(at), (trial(*(["threads-grow"] if script[min(counts[at], len(script)) - 1] else [])),))

    names = [str(at) for at in range(count)]
    made = Bisection(names, names, good, bad, once, Known("x"), None)
    made.run({"threads-grow"})
    return made


def told(made: Bisection) -> judged.BisectReport:
    return judged.report(made.steps(), made.good, made.bad, made.finding, made.at_bad, "x")


@pytest.mark.parametrize("border", range(1, 9))
def test_the_border_is_found_in_either_direction(border: int) -> None:
    """The first that shows it, and where the bad end is the older one, the first that does not."""
    came = told(found(9, 0, 8, {at: [True] for at in range(border, 9)}))
    assert (came.first, came.exit_code) == (str(border), 0)
    assert "came with" in came.verdict
    went = told(found(9, 8, 0, {at: [True] for at in range(border)}))
    assert went.first == str(border)
    assert "went with" in went.verdict
    assert sum(bool(step.runs) for step in came.steps) <= 2 + 3  # both ends, and the logarithm of what is between


def test_a_racy_finding_is_repeated() -> None:
    """How often is told by the bad end; the chance of a miss is then below 1 %."""
    assert judged.repetitions(3, 3) == 3
    for shown, runs in ((3, 3), (2, 3), (1, 3), (1, 6)):
        assert judged.miss(shown, runs) < judged.MISS
    assert judged.repetitions(1, 20) == judged.MOST  # and then the chance is said as it is
    assert judged.miss(1, 20) > judged.MISS
    racy = [False, False, False, False, True]
    made = found(5, 0, 4, {2: racy, 3: racy, 4: [False, False, True]})
    assert told(made).first == "2"
    assert len(made.runs(0)) == judged.repetitions(1, 3) == 10


def test_what_cannot_be_measured_is_skipped() -> None:
    """As by `git bisect skip`; beside the border nobody can say which it was."""
    beside = told(found(5, 0, 4, {3: [True], 4: [True]}, missing=(2,)))
    assert (beside.first, beside.exit_code) == ("", 3)
    assert "after 1, with 3 at the latest; 1 between could not be measured or were not tried: 2" in beside.verdict
    many = told(found(9, 0, 8, {8: [True]}, missing=tuple(range(1, 8))))
    assert many.verdict.endswith("7 between could not be measured or were not tried")  # the steps name them
    assert told(found(6, 0, 5, {4: [True], 5: [True]}, missing=(2,))).first == "4"
    assert next(step for step in beside.steps if step.name == "2").state == SKIPPED


def test_ends_that_are_not_as_was_said() -> None:
    """A good end that shows it, a bad end that does not: nothing is looked for."""
    with pytest.raises(UsageError, match="the good end 0 shows threads-grow"):
        found(3, 0, 2, {0: [True], 2: [True]})
    with pytest.raises(UsageError, match="the bad end 2 does not show threads-grow in 20 runs"):
        found(3, 0, 2, {})


def test_the_finding_that_only_the_bad_end_has() -> None:
    """Without --finding; what both show is not looked for."""

    def once(at: int, _: int = 1) -> Tried:
        return Tried(str(at), (trial("established-grows", *(["posts-unwanted"] if at < 2 else [])),))

    made = Bisection(list("0123"), list("0123"), 3, 0, once, Known("x"), None)
    made.run(set())
    assert told(made).finding == ("posts-unwanted",)
    assert told(made).first == "2"
    alike = Bisection(list("01"), list("01"), 1, 0, lambda at, _: once(0), Known("x"), None)
    with pytest.raises(UsageError, match="shows no other problem"):
        alike.run(set())


def test_what_is_known_is_kept(tmp_path: Path) -> None:
    """Each run is written when it has ended; another question's file is refused."""
    path, ran = tmp_path / "a" / "state.json", []

    def once(at: int, _: int = 1) -> Tried:
        ran.append(at)
        if len(ran) == 8:
            raise KeyboardInterrupt
        return Tried(str(at), (trial(*(["threads-grow"] if at > 2 else [])),))

    names = [str(at) for at in range(9)]
    first = Bisection(names, names, 0, 8, once, bisection.load(path, "q"), path)
    with pytest.raises(KeyboardInterrupt):
        first.run({"threads-grow"})
    report = judged.report(first.steps(), 0, 8, first.finding, first.at_bad, "x", interrupted=True)
    assert report.exit_code == 130
    assert "came after 0, with 4 at the latest" in report.verdict
    second = Bisection(names, names, 0, 8, once, bisection.load(path, "q"), path)
    second.run({"threads-grow"})
    assert told(second).first == "3"
    assert not {0, 4, 8} & set(ran[8:])
    with pytest.raises(UsageError, match="is of another question"):
        bisection.load(path, "another")
    path.write_text("no")
    with pytest.raises(UsageError, match="is no file of a bisection"):
        bisection.load(path, "q")


def test_a_matrix_says_what_each_leaves(cli: Cli, releases: list[str], tmp_path: Path) -> None:
    """A row each, also for one that cannot be had; the problem of one is a result all the same."""
    pages = [tmp_path / f"matrix{ending}" for ending in (".html", ".md")]
    options = [word for page in pages for word in ("--output", page)]
    done = cli("matrix", releases[1], releases[3], tmp_path, "--spec", SPEC, "--json", *options)
    assert done.returncode == 1, done.stderr
    document = valid(done.stdout)
    good, bad, absent = document["targets"]
    assert (good["trials"][0]["word"], bad["trials"][0]["word"]) == ("ok", "leaks")
    assert (good["trials"][0]["left"]["threads"], bad["trials"][0]["left"]["threads"]) == (0, 1)
    assert bad["trials"][0]["codes"] == ["threads-grow"]
    assert "has no pyproject.toml" in absent["missing"]
    assert document["verdict"].endswith(f"could not tell {tmp_path}")
    for page in pages:
        assert "1.00 threads a turn" in page.read_text()


def test_one_that_cannot_be_told_is_no_clean_verdict() -> None:
    """3 unless another shows a problem."""
    clean, leaky, lost = Tried("a", (trial(),)), Tried("b", (trial("threads-grow"),)), Tried("c", missing="gone")
    codes = [trials.report(some, "x").exit_code for some in ([clean], [clean, lost], [clean, leaky, lost], [])]
    assert codes == [0, 3, 1, 0]
    assert trials.report([clean], "x", interrupted=True).exit_code == 130
    verdicts = [trials.report(some, "x").verdict for some in ([clean, lost], [lost], [lost, Tried("d", missing="off")])]
    assert verdicts == [
        "could not tell c; the other one leaves nothing behind",
        "could not tell c: gone",
        "could not tell c, d",
    ]


def test_less_than_at_the_start_is_no_leak_below_zero() -> None:
    """A turn that failed before it asked; a thread that ended."""
    one = replace(trial(), left={"posts": -0.5, "established": 0.0, "threads": -1.0, "fds": 1.25})
    said = "0.50 POSTs fewer than wanted, 1.00 threads fewer than at the start, 1.25 descriptors a turn"
    assert trials.counts(one) == said


def test_a_bisection(cli: Cli, releases: list[str], tmp_path: Path) -> None:
    """It finds the third of those between, and when asked again, runs nothing."""
    asked = ("bisect", *releases[1:4], "--spec", SPEC, "--workload", "steady", "--state", tmp_path / "state.json")
    done = cli(*asked)
    assert done.returncode == 0, done.stderr
    assert f"{releases[1]}: run 3 ..." in done.stderr.splitlines()
    words = " ".join(done.stdout.split())
    assert words.endswith(f"threads-grow came with {releases[2]}: {releases[1]} does not show it")
    assert "not shown means: in 3 runs of 3; the chance of a miss is 0.8 %" in words
    again = cli(*asked, "--json")
    assert valid(again.stdout)["first"] == releases[2]
    assert ": run " not in again.stderr


def test_an_interrupted_bisection(releases: list[str], tmp_path: Path) -> None:
    """Exit 130, and what is left is said."""
    state = tmp_path / "state.json"
    command = [sys.executable, "-m", "hermes_diag", "bisect", *releases, "--spec", SPEC, "--state", str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not state.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "not both ends were tried" in out


def test_commits_between_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Along first parents, the oldest first; two that are on no line are refused."""
    for name in [one for one in os.environ if one.startswith("GIT_")]:
        monkeypatch.delenv(name)
    git(tmp_path, "init", "-q", "-b", "main")
    for number in range(4):
        git(tmp_path, "commit", "-q", "--allow-empty", "-m", f"number {number}")
    git(tmp_path, "checkout", "-q", "-b", "side", "HEAD~2")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "aside")
    git(tmp_path, "checkout", "-q", "main")
    git(tmp_path, "merge", "-q", "--no-ff", "-m", "merged", "side")
    every = candidates.of_commits(tmp_path, "main~4", "main")
    assert [one.name.split(" ", 1)[1] for one in every.wanted] == [*(f"number {n}" for n in range(4)), "merged"]
    assert (every.good, every.bad) == (0, 4)
    backwards = candidates.of_commits(tmp_path, "main", "main~4")
    assert (backwards.good, backwards.bad) == (4, 0)
    with pytest.raises(UsageError, match="neither of"):
        candidates.of_commits(tmp_path, "side", "main~1")


def test_releases_between_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that the index has, in the order of their numbers."""
    for version in ("1.9", "1.10", "1.11", "2.0", "2.1"):
        wheels.wheel(tmp_path / "wheels", "httpx", version, {})
    for name, value in wheels.variables(tmp_path / "wheels", tmp_path / "cache").items():
        monkeypatch.setenv(name, value)
    own, installer = base.of(sys.executable), Installer(lambda text: None)
    made = candidates.of_releases("httpx==2.0", "httpx==1.9", own, installer)
    assert made.keys == ("httpx==1.9.0", "httpx==1.10", "httpx==1.11", "httpx==2.0.0")
    assert (made.good, made.bad) == (3, 0)
    for good, bad in (("httpx==1.9", "openai==2.0"), ("httpx==1.9", "httpx==1.9"), ("httpx==1.9", str(tmp_path))):
        with pytest.raises(UsageError):
            candidates.of_releases(good, bad, own, installer)


@needs_releases
@pytest.mark.timeout(180)
def test_real_releases_side_by_side(cli: Cli) -> None:
    """0.17.0 sends an aborted turn again, 0.18.2 does not. (Where that went, `scripts/bisect_releases.py` asks.)"""
    old, new = map(python_of, ("0.17.0", "0.18.2"))
    done = cli("matrix", old, new, "--turns", 1, "--json")
    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"] == 1
    assert [one["stack"]["hermes"] for one in document["targets"]] == ["0.17.0", "0.18.2"]
    (before,), (after,) = (one["trials"] for one in document["targets"])
    assert (before["codes"], before["left"]["posts"], before["left"]["established"]) == (["posts-unwanted"], 1, 1)
    # Of one turn nobody can say whether what it left grows.
    assert (after["word"], after["left"]["posts"], after["left"]["established"]) == ("too short", 0, 1)
    assert [row["status"] for row in document["rows"]] == ["failed", "could not tell"]
