"""Captures side by side: what changed comes first, and only what got worse is a problem."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import GOLDEN, ROOT, Cli

BAD, GOOD = "bad.jsonl", "good.jsonl"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captures before and after a fix: of a check, and of a trace."""
    folder = tmp_path_factory.mktemp("captures")
    leaky = (ROOT / "scripts" / "leaky.py").read_text()
    fixed = "from openai import OpenAI\n\n\ndef make_client(client_kwargs):\n    return OpenAI(**client_kwargs)\n"
    for name, text in ((BAD, leaky), (GOOD, fixed)):
        (folder / "clients.py").write_text(text)
        run(folder, "check", "./clients.py:make_client", "--workload", "steady", "--save", name)
        opens = "import socket; a = socket.socket()" + ("; b = socket.socket()" if name == BAD else "")
        run(folder, "trace", "--save", f"trace-{name}", "--", sys.executable, "-c", opens)
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hermes_diag", *arguments]
    environment = {**os.environ, "COLUMNS": "100"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
    )


def compared(folder: Path, *names: str) -> Any:
    done = run(folder, "report", *names, "--json")
    document = json.loads(done.stdout)
    assert document["exit_code"] == done.returncode
    return document


def test_a_fix(folder: Path) -> None:
    """What was put right is named as that, with what was seen of each; nothing got worse: exit code 0."""
    found = compared(folder, BAD, GOOD)
    words = {one["name"]: one["word"] for one in found["changes"]}
    assert {words[name] for name in ("close-releases", "drop-releases", "steady")} == {"fixed"}
    assert words["clients-separate"] == "same"
    assert found["status"] == "clean"
    assert found["verdict"].startswith("good.jsonl against bad.jsonl: 3 fixed, ")
    kinds = [one["word"] for one in found["changes"]]
    assert kinds == sorted(kinds, key=["fixed", "same"].index)
    (steady,) = (one for one in found["changes"] if one["name"] == "steady")
    assert steady["seen"][0]["code"] == "close-wait-grows"
    assert "turns ended well" in steady["seen"][1]["text"]


def test_the_other_way_round(folder: Path) -> None:
    """The same captures in the other order: it got worse, by name, and that is a problem."""
    found = compared(folder, GOOD, BAD)
    assert found["exit_code"] == 1
    assert "worse: close-releases, drop-releases, steady" in found["verdict"]
    assert {row["status"] for row in found["rows"] if row["name"] == "steady"} == {"failed"}


def test_nothing_changed(folder: Path) -> None:
    """A capture and its copy have nothing that differs; a capture and itself are a slip."""
    (folder / "copy.jsonl").write_bytes((folder / BAD).read_bytes())
    found = compared(folder, BAD, "copy.jsonl")
    assert {one["word"] for one in found["changes"]} == {"same"}
    assert run(folder, "report", BAD, BAD).returncode == 2


def test_three_of_them(folder: Path) -> None:
    """The last against the first, all side by side; names are told apart by their folders."""
    (folder / "old").mkdir(exist_ok=True)
    (folder / "old" / BAD).write_bytes((folder / BAD).read_bytes())
    found = compared(folder, f"old/{BAD}", BAD, GOOD)
    assert [one["name"] for one in found["captures"]] == [f"old/{BAD}", BAD, GOOD]
    assert all(len(one["seen"]) == 3 for one in found["changes"])
    said = run(folder, "report", f"old/{BAD}", BAD, GOOD).stdout
    assert f"old/{BAD}" in said


@pytest.mark.parametrize("columns", [60, 100])
def test_for_people(folder: Path, columns: int) -> None:
    """What changed comes before what is the same, in so many columns."""
    done = subprocess.run(
        [sys.executable, "-m", "hermes_diag", "report", BAD, GOOD],
        cwd=folder,
        env={**os.environ, "COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert lines.index("What changed") < lines.index("The same") < lines.index("Verdict")
    assert any(line.startswith("fixed") for line in lines)


def watched(folder: Path, name: str, seconds: float) -> None:
    """A watch of a program that leaks a socket each so many seconds, made of the one that is kept."""
    lines = [
        json.loads(line) for line in gzip.decompress((GOLDEN / "captures" / "watch.jsonl.gz").read_bytes()).splitlines()
    ]
    lines[0]["watched"] |= {"conditions": [], "interval": seconds}
    for line in lines:
        if line["record"] == "sample":
            line["at"] *= seconds / 0.1
            for lived in line["lives"].values():
                lived["died"] = [[at * seconds / 0.1, count] for at, count in lived["died"]]
    kept = [line for line in lines if line["record"] != "condition"]
    (folder / name).write_text("".join(f"{json.dumps(line)}\n" for line in kept))


def test_a_leak_that_is_faster_is_worse(folder: Path) -> None:
    """Both leak: ten times as fast is worse, a tenth is no fix, and of neither is it said that nothing is wrong."""
    watched(folder, "slow.jsonl", 1.0)
    watched(folder, "fast.jsonl", 0.1)
    found = compared(folder, "slow.jsonl", "fast.jsonl")
    assert found["exit_code"] == 1
    assert {one["name"] for one in found["changes"] if one["word"] == "worse"} >= {"CLOSE_WAIT", "fds"}
    back = compared(folder, "fast.jsonl", "slow.jsonl")
    words = {one["name"]: one["word"] for one in back["changes"]}
    assert words["CLOSE_WAIT"] == "differs"
    assert "failing in both" in back["verdict"]
    assert {row["status"] for row in back["rows"] if row["name"] == "CLOSE_WAIT"} == {"known"}
    page = run(folder, "report", "fast.jsonl", "slow.jsonl", "--format", "html").stdout
    assert "Nothing got better or worse" not in page
    assert "still fail" in page


def test_a_number_that_was_not_there(folder: Path) -> None:
    """A state that no socket was in before, and that grows now, is worse; nothing of it is not there."""
    watched(folder, "leaks.jsonl", 0.1)
    lines = [json.loads(line) for line in (folder / "leaks.jsonl").read_text().splitlines()]
    for line in lines[1:]:
        if line["record"] == "sample":
            line |= {"states": {}, "fds": 5, "each": {}, "lives": {}, "entered": {}, "opened": {}, "moved": []}
    quiet = [line for line in lines if line["record"] != "place"]
    (folder / "quiet.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in quiet))
    found = compared(folder, "quiet.jsonl", "leaks.jsonl")
    assert found["exit_code"] == 1
    assert "CLOSE_WAIT" in {one["name"] for one in found["changes"] if one["word"] == "worse"}


def test_more_of_the_same_is_worse(folder: Path) -> None:
    """One line left three sockets open, now it leaves thirty."""
    for name, count in (("three", 3), ("thirty", 30)):
        text = f"import socket\na = [socket.socket() for _ in range({count})]"
        run(folder, "trace", "--save", f"{name}.jsonl", "--", sys.executable, "-c", text)
    found = compared(folder, "three.jsonl", "thirty.jsonl")
    assert (found["exit_code"], found["changes"][0]["word"]) == (1, "worse")
    assert compared(folder, "thirty.jsonl", "three.jsonl")["changes"][0]["word"] == "differs"


def test_a_trace_by_line(folder: Path) -> None:
    """Process numbers differ from run to run; the lines that leave something open do not."""
    found = compared(folder, f"trace-{BAD}", f"trace-{GOOD}")
    (change,) = found["changes"]
    assert change["word"] == "differs"
    assert [one["text"] for one in change["seen"]] == ["2 left open", "1 left open"]


def test_kinds_that_have_nothing_in_common(folder: Path) -> None:
    """One line and a cure."""
    done = run(folder, "report", BAD, f"trace-{BAD}")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].endswith("bad.jsonl of `check` and trace-bad.jsonl of `trace`")


def test_other_cells_and_another_release(cli: Cli, tmp_path: Path) -> None:
    """Cells that only one run has are no change for the worse, and a run of another release says so."""
    one = GOLDEN / "close-wait-grows.fires.jsonl"
    other = tmp_path / "other.jsonl"
    other.write_text(
        (GOLDEN / "kwargs-mutated.quiet.jsonl").read_text().replace('"openai":"2.54.0"', '"openai":"2.24.0"')
    )
    done = cli("report", one, other, "--json")
    found = json.loads(done.stdout)
    assert {change["word"] for change in found["changes"]} == {"only in some"}
    assert done.returncode == 3
    assert "openai: 2.54.0 -> 2.24.0" in found["others"]
