"""`hermes-diag check` as CI runs it: real runs, and every format read back."""

from __future__ import annotations

import datetime
import functools
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from conftest import GOLDEN, ROOT, Cli
from test_audit import NONE, SECRET, interpreters
from test_robust import until

from hermes_diag.cli import github as on_actions
from hermes_diag.core import conditions, matrix
from hermes_diag.core.report import CheckReport, Place, Row
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.core.text import one_line
from hermes_diag.judge import check as checks
from hermes_diag.judge import settings
from hermes_diag.judge.baseline import Baseline
from hermes_diag.provider import faults
from hermes_diag.reporters.formats import github, junit, terminal
from hermes_diag.run import capture
from hermes_diag.worker import spec as worker_spec

FACTORIES = ROOT / "tests" / "factories.py"
# Not today: a suite that runs over midnight must not meet an allowance that has just expired.
LATER = datetime.date.today() + datetime.timedelta(days=30)

LEAKY = (ROOT / "scripts" / "leaky.py").read_text()
CLEAN = "from openai import OpenAI\n\n\ndef make_client(client_kwargs):\n    return OpenAI(**client_kwargs)\n"
LEAKS = {"close-releases", "drop-releases", "close-wait-grows"}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite itself may run in CI."""
    for name in [name for name in os.environ if name.startswith("GITHUB_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A project with a leaking factory, as GitHub Actions checks it out."""
    folder = tmp_path / "repo"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "clients.py").write_text(LEAKY)
    (folder / "pyproject.toml").write_text('[tool.hermes-diag]\nfactory = "./clients.py:make_client"\ncwd = "src"\n')
    return folder


def on_github(repository: Path) -> dict[str, str]:
    """The variables of a step, with the runner's names."""
    summary = repository.parent / "summary.md"
    summary.write_text("# Of an earlier command\n")
    return {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(repository),
        "GITHUB_STEP_SUMMARY": str(summary),
    }


def run(folder: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """`hermes-diag check` in that folder."""
    return subprocess.run(
        [sys.executable, "-m", "hermes_diag", "check", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
        timeout=100,
        check=False,
    )


def failed(document: dict[str, Any]) -> set[str]:
    return {row["code"] or row["name"] for row in document["rows"] if row["status"] == "failed"}


def commands(text: str) -> list[tuple[dict[str, str], str]]:
    """Workflow commands as the runner reads them: (properties, message)."""
    found = []
    for given, message in re.findall(r"^::error (.*?)::(.*)$", text, re.MULTILINE):
        pairs = dict(one.split("=", 1) for one in given.split(","))
        found.append(({name: _decoded(value) for name, value in pairs.items()}, _decoded(message)))
    return found


def _decoded(text: str) -> str:
    for code, character in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, character)
    return text


def table(text: str) -> list[list[str]]:
    """Rows of the tables of a markdown text, as they are rendered."""
    html = cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE)
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    return [
        [re.sub(r"<[^>]*>", " ", cell).strip() for cell in re.findall(r"<t[dh]>(.*?)</t[dh]>", row, re.DOTALL)]
        for row in rows
    ]


# --- the verdict -------------------------------------------------------------------------------------


def test_our_own_fix_passes(cli: Cli, tmp_path: Path) -> None:
    """Without a word of configuration: the self-test, clean, every setting at its default."""
    done = cli("check", "--json", "--save", tmp_path / "run.jsonl")
    document = json.loads(done.stdout)
    assert (done.returncode, document["settings"]) == (0, []), document["verdict"]
    assert {row["status"] for row in document["rows"]} <= {"passed", "not applicable"}
    assert [row["name"] for row in document["rows"] if row["kind"] == "workload"] == list(matrix.USUAL)
    # In one interpreter: each cell is a job of the two lanes that it forked, and says the same of its import.
    _, evidence = capture.read(tmp_path / "run.jsonl")
    assert len({one.stack.import_ms for one in evidence if one.stack}) == 1
    again = cli("report", tmp_path / "run.jsonl", "--json")
    assert (again.returncode, json.loads(again.stdout)) == (0, document)


def test_a_leak_on_github(repository: Path) -> None:
    """Every format at once, each read back; stdout stays one JSON document."""
    files = ["--output", "../check.xml", "--output", "../check.md", "--save", "../run.jsonl"]
    done = run(repository, "--json", *files, **on_github(repository))
    document = json.loads(done.stdout)
    assert (done.returncode, failed(document)) == (1, LEAKS)
    assert [tuple(one.values()) for one in document["settings"]] == [
        ("factory", "./clients.py:make_client", "pyproject.toml"),
        ("cwd", "src", "pyproject.toml"),
    ]
    line = LEAKY[: LEAKY.index("def make_client")].count("\n") + 1
    assert document["defined"] == {"file": "clients.py", "line": line}
    said = commands(done.stderr)
    assert {properties["title"] for properties, _ in said} == {f"hermes-diag: {code}" for code in LEAKS}
    assert {(properties["file"], properties["line"]) for properties, _ in said} == {("src/clients.py", str(line))}
    grows = next(message for properties, message in said if properties["title"].endswith("close-wait-grows"))
    said_of = "CLOSE_WAIT grew from 2 to 12 over 6 idle gaps, 1.00 a turn"
    assert f"\nsteady: {said_of}; 12 of 12 by requests of clients made at clients.py:{line}\n" in grows

    summary = (repository.parent / "summary.md").read_text()
    assert summary == "# Of an earlier command\n\n\n" + (repository.parent / "check.md").read_text()
    rows = table(summary)
    assert len(rows) == len(document["rows"]) + 1
    assert {row[1].split()[0] for row in rows if row[0] == "failed"} == {
        "close-releases",
        "drop-releases",
        "steady",
        "overlapping",
    }

    suite = ET.parse(repository.parent / "check.xml").getroot()[0]
    counted = {case.attrib["name"] for case in suite.iter("testcase") if case.find("failure") is not None}
    assert counted == {
        "close-releases", "drop-releases", "steady: close-wait-grows", "overlapping: close-wait-grows",
    }  # fmt: skip
    # One count of problems, wherever it is told.
    assert document["verdict"].startswith("./clients.py:make_client: 4 problems: ")
    assert len(document["findings"]) == 4
    assert (suite.attrib["failures"], suite.attrib["errors"]) == ("4", "0")
    assert int(suite.attrib["tests"]) == len(suite.findall("testcase")) == 15 + 3
    assert sorted(path.name for path in repository.parent.iterdir()) == [
        "check.md",
        "check.xml",
        "repo",
        "run.jsonl",
        "summary.md",
    ]


def test_baseline_same_then_better(repository: Path) -> None:
    """What is known does not fail; once it is mended that is said; and its return is a failure."""
    assert run(repository, "--save", "bad.jsonl").returncode == 1
    same = run(repository, "--baseline", "bad.jsonl", "--json")
    document = json.loads(same.stdout)
    assert (same.returncode, failed(document)) == (0, set()), document["verdict"]
    assert {row["code"] for row in document["rows"] if row["status"] == "known"} == LEAKS
    (repository / "src" / "clients.py").write_text(CLEAN)
    better = run(repository, "--baseline", "bad.jsonl", "--save", "good.jsonl", COLUMNS="200")
    assert better.returncode == 0
    assert better.stdout.count(": in the baseline, and not any more") == 4
    assert "close-wait-grows in steady" in better.stdout
    plan, evidence = capture.read(repository / "bad.jsonl")
    own = settings.Settings(factory="./clients.py:make_client")
    good = Baseline("good.jsonl", capture.read(repository / "good.jsonl")[1])
    report = checks.judge(plan, evidence, own.asked(), good)
    assert report.exit_code == 1
    assert {row.note for row in report.rows if row.status == "failed"} == {"new: it is not in the baseline"}


def test_baseline_of_repro(repository: Path) -> None:
    """Another command's plan: what it has not is named, and counts as new."""
    saved = repository / "repro.jsonl"
    subprocess.run(
        [sys.executable, "-m", "hermes_diag", "replay", "./clients.py:make_client", "--cwd", "src",
         "--workload", "steady", "--save", saved],
        cwd=repository, check=False, capture_output=True,
    )  # fmt: skip
    done = run(repository, "--baseline", saved, "--workload", "steady", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, failed(document)) == (1, {"close-releases", "drop-releases"})
    assert {row["note"] for row in document["rows"] if row["status"] == "known"} == {"known: it is in the baseline too"}
    assert any("has no result to compare with: kwargs-not-mutated" in note for note in document["notes"])
    assert any("other numbers of sessions or turns" in note for note in document["notes"])


def test_worse_is_worse() -> None:
    """The same finding with a larger number fails; with the same or a smaller one it is known."""
    plan, evidence = capture.read(GOLDEN / "close-wait-grows.fires.jsonl")
    (row,) = checks.rows(evidence, {})
    assert (row.code, row.numbers["last"]) == ("close-wait-grows", 10)
    for then, status in ((9, "failed"), (10, "known"), (11, "known")):
        before = replace(row, numbers={**row.numbers, "last": then})
        (now,) = Baseline("old", evidence).compare((row,), (before,), plan.cells).rows
        assert now.status == status
    assert (
        "last 9, now 10"
        in Baseline("old", evidence).compare((row,), (replace(row, numbers={"last": 9}),), plan.cells).rows[0].note
    )


def test_threads_come_and_go() -> None:
    """One more thread than last time is chance; half as many again is worse."""
    plan, evidence = capture.read(GOLDEN / "threads-grow.fires.jsonl")
    row = next(row for row in checks.rows(evidence, {}) if row.code == "threads-grow")
    for then, now, status in ((16, 17, "known"), (4, 6, "known"), (16, 24, "failed"), (4, 7, "failed")):
        one, other = (replace(row, numbers={**row.numbers, "last": last}) for last in (then, now))
        assert Baseline("old", evidence).compare((other,), (one,), plan.cells).rows[0].status == status


def test_what_neither_could_tell_is_known() -> None:
    """Not when this run could tell nothing at all."""
    plan, evidence = capture.read(GOLDEN / "close-wait-grows.fires.jsonl")
    (row,) = checks.rows(evidence, {})
    untold = replace(row, name="other", code="", status=RowStatus.COULD_NOT_TELL)
    baseline = Baseline("old", evidence)
    assert [one.status for one in baseline.compare((row, untold), (row, untold), plan.cells).rows] == ["known"] * 2
    assert [one.status for one in baseline.compare((untold,), (row, untold), plan.cells).rows] == [
        RowStatus.COULD_NOT_TELL
    ]
    assert [one.status for one in baseline.compare((row, untold), (row,), plan.cells).rows] == [
        "known",
        RowStatus.COULD_NOT_TELL,
    ]


def test_one_factory_by_two_names() -> None:
    """`./c.py:make` and `c.py:make` are compared."""
    _, evidence = capture.read(GOLDEN / "close-wait-grows.fires.jsonl")

    def named(spec: str) -> list[Any]:
        return [replace(one, cell=replace(one.cell, factory=spec)) for one in evidence]

    now, before = named("./c.py:make"), Baseline("old", named("c.py:make"))
    assert len(before.comparable([one.cell for one in now])) == 1
    assert not before.comparable([one.cell for one in named("./d.py:make")])


def test_a_baseline_of_something_else() -> None:
    plan, evidence = capture.read(GOLDEN / "close-wait-grows.fires.jsonl")
    rows = checks.rows(evidence, {})
    other = Baseline("other.jsonl", capture.read(GOLDEN / "kwargs-mutated.fires.jsonl")[1])
    compared = other.compare(rows, checks.rows(other.comparable(plan.cells), {}), plan.cells)
    assert [row.status for row in compared.rows] == ["failed"]
    assert compared.notes == ("other.jsonl is of buggy: nothing could be compared",)


def test_allowances(repository: Path) -> None:
    """Allowed findings do not fail and say until when and why; one that met nothing is named."""
    until = LATER.isoformat()
    config = "\n".join(
        f'[[tool.hermes-diag.allow]]\nfinding = "{code}"\nreason = "mended in 2.0"\nexpires = {until}\n'
        for code in (*sorted(LEAKS), "nodelay")
    )
    (repository / "pyproject.toml").write_text(config)
    done = run(repository / "src", "./clients.py:make_client", "--output", "check.xml", COLUMNS="200")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(f"allowed until {until}: mended in 2.0") == 4
    assert "the allowance of nodelay is not needed any more: nothing fails on it; remove it" in done.stdout
    assert "(from ../pyproject.toml)" in done.stdout
    skipped = ET.parse(repository / "src" / "check.xml").getroot().iter("skipped")
    assert f"allowed until {until}: mended in 2.0" in {one.attrib["message"] for one in skipped}


def test_conditions(cli: Cli) -> None:
    """A healthy pool holds a CLOSE_WAIT socket when idle: clean by default, and a condition decides otherwise."""
    texts = ["close_wait_left > 0", "close_wait_peak>=3", "ESTABLISHED_left > 0"]
    done = cli("check", f"{FACTORIES}:RightPool", "--json", *(word for text in texts for word in ("--fail-on", text)))
    document = json.loads(done.stdout)
    rows = {row["name"]: row["status"] for row in document["rows"] if row["kind"] == "condition"}
    assert rows == dict(zip(texts, ["failed", "passed", "passed"], strict=True))
    assert (done.returncode, failed(document)) == (1, {"close_wait_left > 0"})
    assert cli("check", f"{FACTORIES}:RightPool").returncode == 0


@pytest.mark.parametrize("name", ["AsyncPool"])
def test_right_factories_pass(cli: Cli, name: str) -> None:
    """Sync or async, a pool or one client for all: nothing sound is accused."""
    done = cli("check", f"{FACTORIES}:{name}")
    assert done.returncode == 0, done.stdout


def test_a_first_turn_that_fails(cli: Cli) -> None:
    """A broken http library is a failure of its own name, and its text is not shown."""
    done = cli("check", f"{FACTORIES}:patches", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert {"first-turn", "turns-failed"} <= failed(document)
    assert SECRET not in done.stdout + done.stderr


def test_a_fault_is_not_the_factorys(cli: Cli) -> None:
    """Turns that the provider cuts are not held against a factory that leaves nothing behind."""
    done = cli("check", f"{FACTORIES}:right", "--workload", "steady", "--fault", "fin-mid-stream", "--json")
    document = json.loads(done.stdout)
    rows = [row for row in document["rows"] if row["kind"] == "workload"]
    assert [(row["name"], row["status"]) for row in rows] == [("steady", "passed"), ("steady/fin-mid-stream", "passed")]
    assert rows[1]["seen"] == "0 of 12 turns ended well (the fault ended the others), CLOSE_WAIT 0 at the end"
    assert done.returncode == 0


def test_a_hang_under_a_fault() -> None:
    """A hang is the client's; but not when the provider may be the one that comes to no end."""
    _, (evidence,) = capture.read(GOLDEN / "worker-hung.fires.jsonl")
    (hung,) = checks.rows([evidence], {})
    assert (hung.status, hung.code) == ("failed", "worker-hung")
    (unsure,) = checks.rows([replace(evidence, cell=replace(evidence.cell, fault="comments-only"))], {})
    assert (unsure.status, unsure.code) == ("could not tell", "")


def test_a_factory_that_breaks_down(cli: Cli, tmp_path: Path) -> None:
    """Nothing could be told: exit 3, errors and no failures, and not a word of what it raised."""
    arguments = ["--output", tmp_path / "check.xml", "--output", tmp_path / "check.md"]
    done = cli("check", f"{FACTORIES}:raises", *arguments, GITHUB_ACTIONS="true")
    assert done.returncode == 3
    ((properties, message),) = commands(done.stdout)
    assert properties["title"] == "hermes-diag"
    assert "ValueError while calling the factory" in message
    suite = ET.parse(tmp_path / "check.xml").getroot()[0]
    assert (suite.attrib["failures"], suite.attrib["errors"]) == ("0", "4")
    texts = [done.stdout, done.stderr, *(path.read_text() for path in (tmp_path / "check.xml", tmp_path / "check.md"))]
    assert all(SECRET not in text for text in texts)


def test_no_sdk_leaves_no_old_result(cli: Cli, tmp_path: Path) -> None:
    """An interpreter without an SDK: exit 3, and the report file does not show the run before."""
    stale = tmp_path / "check.xml"
    stale.write_text("<testsuites/>")
    done = cli("check", "--python", "python3", "--output", stale, PATH=str(_bare_python(tmp_path)))
    assert done.returncode == 3, done.stdout
    assert "could not measure fixed:" in " ".join(done.stdout.split())
    assert ET.parse(stale).getroot()[0].attrib["errors"] == "4"


def _bare_python(folder: Path) -> Path:
    """A folder with a python3 that has no site-packages."""
    (folder / "bin").mkdir()
    script = folder / "bin" / "python3"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -I "$@"\n')
    script.chmod(0o755)
    return script.parent


def test_ctrl_c(tmp_path: Path) -> None:
    """Exit code 130, and the files show what was learnt."""
    saved, xml = tmp_path / "run.jsonl", tmp_path / "check.xml"
    command = [
        sys.executable,
        "-m",
        "hermes_diag",
        "check",
        "--save",
        saved,
        "--output",
        xml,
        "--fault",
        "stall-before-headers",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as host:
        until(lambda: b'"record":"outcome"' in (saved.read_bytes() if saved.exists() else b""))
        host.send_signal(signal.SIGINT)
        _, err = host.communicate(timeout=60)
    assert host.returncode == 130
    assert b"interrupted" in err
    assert int(ET.parse(xml).getroot()[0].attrib["errors"]) > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["check.xml", "run.jsonl"]


@pytest.mark.parametrize("python", interpreters() or [NONE])
def test_other_interpreters(repository: Path, python: str) -> None:
    """The same findings at the same line on openai 2.24 and 3.x, on Python 3.9 and 3.13."""
    done = run(repository, "--python", python, "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, failed(document)) == (1, LEAKS), document["verdict"]
    assert document["defined"]["line"] == LEAKY[: LEAKY.index("def make_client")].count("\n") + 1


# --- wrong usage -------------------------------------------------------------------------------------


CONFIGURATIONS = {
    'factory = "nonsense"': "2: tool.hermes-diag.factory: 'nonsense' names no factory; "
    "write package.module:name or ./file.py:name",
    'factory = "./no.py:make"': "2: tool.hermes-diag.factory: ./no.py:make: there is no file ./no.py; "
    "paths count from --cwd, or from here",
    '\nfactory = "shop.clients:make"': "3: tool.hermes-diag.factory: shop.clients:make: there is no module "
    "shop.clients; "
    "check its spelling; names count from --cwd, or from here",
    '\npython = "nowhere/python"': "3: tool.hermes-diag.python: there is no interpreter 'nowhere/python'; "
    "name a Python 3.9 or newer, or the folder of its virtualenv",
    'cwd = "nowhere"': "2: tool.hermes-diag.cwd: there is no folder nowhere; name the folder that your package is in",
    'faults = [\n  "gzip",\n  "rst-mid-streem",\n]': "4: tool.hermes-diag.faults[1]: no fault 'rst-mid-streem'; "
    "did you mean rst-mid-stream or ",
    'faults = ["hold"]': "2: tool.hermes-diag.faults[0]: fault hold is for the run's own use; "
    "use it with hermes-diag serve",
    'fail_on = ["close_wait > 1"]': "2: tool.hermes-diag.fail_on[0]: 'close_wait > 1': no such metric; "
    "did you mean close_wait_peak or close_wait_left?",
}


@pytest.mark.parametrize(("config", "line"), CONFIGURATIONS.items())
def test_bad_configuration(cli: Cli, tmp_path: Path, config: str, line: str) -> None:
    """One line that names file, line and key; exit 2 before anything runs."""
    (tmp_path / "pyproject.toml").write_text(f"[tool.hermes-diag]\n{config}\n")
    done = cli("check", "--save", "run.jsonl")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert done.stderr.startswith(f"hermes-diag: pyproject.toml:{line}")
    assert not (tmp_path / "run.jsonl").exists()


def test_configuration_that_is_no_file(cli: Cli, tmp_path: Path) -> None:
    """A link to nowhere or to itself, a pipe: said, and nothing else is taken in its place."""
    path = tmp_path / "pyproject.toml"
    for make, why in (
        (lambda: path.symlink_to("nowhere"), "No such file or directory"),
        (lambda: path.symlink_to(path), "Too many levels of symbolic links"),
        (lambda: os.mkfifo(path), "it is a pipe into which nobody writes"),
    ):
        make()
        done = cli("check")
        assert (done.returncode, done.stderr) == (2, f"hermes-diag: pyproject.toml: cannot be read: {why}\n")
        path.unlink()


def test_the_nearest_file_with_the_table_holds(repository: Path) -> None:
    """One of a part of the repository that says nothing of us does not hide that of the whole."""
    part = repository / "part"
    part.mkdir()
    (part / "pyproject.toml").write_text("[project]\nname = 'part'\n")
    (repository / "pyproject.toml").write_text("[tool.hermes-diag]\nfactory = 3\n")
    done = run(part)
    assert done.stderr == "hermes-diag: ../pyproject.toml:2: tool.hermes-diag.factory: a string, not 3\n"


def test_a_refusal_on_github(repository: Path) -> None:
    """Annotated at the line that is wrong, seen from the workspace, beside the line that says it."""
    place = on_github(repository)
    (repository / "pyproject.toml").write_text("[tool.hermes-diag]\nfactory = 3\n")
    done = run(repository / "src", "--json", **place)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 2)
    assert "factory: a string, not 3" in json.loads(done.stdout)["error"]["message"]
    at = {"file": "pyproject.toml", "line": "2", "title": "hermes-diag"}
    assert commands(done.stderr) == [(at, "../pyproject.toml:2: tool.hermes-diag.factory: a string, not 3")]
    (repository / "pyproject.toml").unlink()
    done = run(repository, **place, HERMES_DIAG_FACTORY="./no.py:make")
    ((at, message),) = commands(done.stderr)
    assert (at, message.partition(": ")[0]) == ({"title": "hermes-diag"}, "HERMES_DIAG_FACTORY")


def test_whose_mistake_it_is(repository: Path) -> None:
    """A file that exists is not the factory's fault; and no text of a user's begins a line of its own."""
    place = on_github(repository)
    (repository / "run.jsonl").write_text("of yesterday")
    done = run(repository, "--save", "run.jsonl", **place)
    assert (done.returncode, done.stdout) == (2, "")
    assert commands(done.stderr) == [({"title": "hermes-diag"}, "run.jsonl exists: name another file, or add --force")]
    assert "hermes-diag: run.jsonl exists\n" in done.stderr
    for arguments in (["--cwd", "a\n::warning::b"], ["--fail-on", "x\n::warning::b"], ["--python", "a\n::warning::b"]):
        done = run(repository, *arguments, **place)
        assert done.returncode == 2
        assert len(commands(done.stderr)) == 1
        assert not re.search("^::warning", done.stderr, re.MULTILINE), done.stderr


def test_two_results_in_one_file(cli: Cli, tmp_path: Path) -> None:
    """Refused before the run: the second would end the first."""
    done = cli("check", "--output", "a.xml", "--output", "./a.xml")
    assert done.returncode == 2
    assert "--output and --output name one file: a.xml" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_name_that_the_source_does_not_show(repository: Path) -> None:
    """It is the import that tells whether a file has a name."""
    (repository / "src" / "star.py").write_text("from clients import *\n")
    done = run(repository, "./star.py:make_client", "--json", "--workload", "steady")
    assert failed(json.loads(done.stdout)) == LEAKS


def test_a_factory_that_only_the_main_thread_may_call(cli: Cli, tmp_path: Path) -> None:
    """What it raises in another thread is told like anything that it raises."""
    (tmp_path / "c.py").write_text(
        "import signal\nfrom openai import OpenAI\n\n\ndef make(client_kwargs):\n"
        "    signal.signal(signal.SIGUSR2, signal.SIG_DFL)\n    return OpenAI(**client_kwargs)\n"
    )
    done = cli("check", "./c.py:make", COLUMNS="300")
    assert done.returncode == 3
    assert "overlapping" in done.stdout
    assert re.search(r"the factory broke: ValueError while calling the factory at .*c.py:6 make", done.stdout)


def test_control_characters_stay_out_of_the_terminal(repository: Path) -> None:
    """An allowance's reason is one line, whatever it holds."""
    allow = f"drop-releases:{LATER}:first\n::error::second \x1b[31m"
    done = run(repository, "--allow", allow, "--workload", "interrupted", COLUMNS="200")
    assert "first ::error::second \\x1b[31m" in done.stdout
    assert "\x1b" not in done.stdout


def test_unreadable_configuration(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").mkdir()
    done = cli("check")
    assert (done.returncode, done.stderr) == (2, "hermes-diag: pyproject.toml: cannot be read: it is a directory\n")


@pytest.mark.parametrize(
    ("option", "path", "words"),
    [
        ("--output", "nowhere/x.xml", "No such file"),
        ("--output", "/dev/full/x.md", "Not a directory"),
        ("--output", ".", "the ending names no format"),
        ("--save", "nowhere/x", "No such file"),
        ("--save", ".", "is a directory"),
        ("--save", "/dev/full/x", "Not a directory"),
    ],
)
def test_files_that_cannot_be_written(cli: Cli, tmp_path: Path, option: str, path: str, words: str) -> None:
    """Said before the run, with a cure; nothing is left behind."""
    done = cli("check", option, path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_report_file(cli: Cli, tmp_path: Path) -> None:
    """Whatever its name ends with."""
    (tmp_path / "check.xml").mkdir()
    done = cli("check", "--output", "check.xml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "check.xml is a directory" in done.stderr


def test_a_full_disk_loses_no_verdict(cli: Cli, tmp_path: Path) -> None:
    """The result is printed when a file of it cannot be written; the exit code says that it was not."""
    (tmp_path / "check.xml").symlink_to("/dev/full")
    done = cli("check", "--workload", "steady", "--output", "check.xml")
    assert done.returncode == 3
    assert "no problem" in done.stdout
    assert done.stderr == "could not be saved to check.xml: No space left on device\n"


def test_a_summary_that_cannot_be_written(cli: Cli) -> None:
    """In a container job the runner's path may be missing: said, and no reason to fail."""
    done = cli("check", "--workload", "steady", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY="/nowhere/summary")
    assert done.returncode == 0
    assert done.stderr == "no summary: GITHUB_STEP_SUMMARY cannot be written: No such file or directory\n"


def test_a_summary_that_nobody_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe is not waited for; a new file is of its owner alone."""
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "pipe"))
    assert "No such device or address" in on_actions.tell(nasty(), tmp_path, pure=True)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "new"))
    assert on_actions.tell(nasty(), tmp_path, pure=True) == ""
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


# --- formats, on reports made up of the worst ----------------------------------------------------------

NASTY = "a|b `c` *d* _e_ <script>[f](g) & 100%,\r\n::error::x \x00\x1b \udcff \U0001f600 \\"


def nasty(text: str = NASTY) -> CheckReport:
    rows = tuple(
        Row("promise", f"{status} {text}", "nodelay", text, status, text, text, text, "#1", note=text)
        for status in RowStatus
    )
    return CheckReport(
        command="check",
        subject=text,
        status=Status.FAILING,
        verdict=text,
        stack=None,
        rows=rows,
        defined=Place("a,b:c%.py", 3),
        settings=(("factory", text, text),),
        better=(text,),
        notes=(text,),
    )


def test_nasty_text_in_annotations() -> None:
    """What goes in comes out of the runner's own decoding, on one line, without what a log would obey."""
    (line,) = github.commands(nasty(), "a,b:c%.py")
    assert "\n" not in line
    ((properties, message),) = commands(line)
    assert properties == {"file": "a,b:c%.py", "line": "3", "title": "hermes-diag: nodelay"}
    assert message == "\n".join([one_line(NASTY)] * 4)


def test_no_more_annotations_than_are_shown() -> None:
    rows = tuple(Row("promise", f"p{n}", f"p{n}", "", RowStatus.FAILED, "") for n in range(12))
    said = commands("\n".join(github.commands(replace(nasty(), rows=rows, verdict="12 problems"))))
    assert len(said) == github.MOST
    assert said[-1] == ({"title": "hermes-diag"}, "12 problems")


def test_nasty_text_in_junit() -> None:
    """It is XML, and what XML cannot hold is escaped."""
    suite = ET.fromstring(junit.render(nasty(), 0, verbose=False).encode())[0]
    assert [suite.attrib[name] for name in ("tests", "failures", "errors", "skipped")] == [
        str(len(RowStatus)),
        "1",
        "1",
        "3",
    ]
    failure = next(suite.iter("failure"))
    assert "::error::x \\x00\\x1b \\udcff \U0001f600" in (failure.text or "")


@functools.cache
def largest() -> CheckReport:
    """Every fault that a cell can have, each workload with every problem that there is, in long words."""
    specs = [f"{name}:every=2" for name, entry in faults.catalogue().items() if not entry.needs_tls]
    from hermes_diag.judge import rules

    problems = [rule for rule in rules.modules() if rule.SEVERITY == "problem"]
    rows = tuple(
        Row(
            "workload",
            f"{workload}/{spec}",
            rule.CODE,
            "x" * 80,
            RowStatus.FAILED,
            "y" * 900,
            remedy=rule.REMEDY,
            reference="#1",
        )
        for workload in matrix.USUAL
        for spec in specs
        for rule in problems
    )
    assert len(rows) > 900
    return replace(nasty(), rows=rows, settings=(("faults", ", ".join(specs), "pyproject.toml"),))


@pytest.mark.parametrize("which", ["nasty", "largest"])
def test_junit_has_the_schema_of_ci(which: str) -> None:
    """Jenkins' junit-10.xsd, every version that HERMES_DIAG_JUNIT_XSD names."""
    paths = os.environ.get("HERMES_DIAG_JUNIT_XSD", "")
    if not paths:
        pytest.skip("needs HERMES_DIAG_JUNIT_XSD")
    from lxml import etree

    document = etree.fromstring(junit.render({"nasty": nasty, "largest": largest}[which](), 0, verbose=False).encode())
    for path in paths.split(os.pathsep):
        etree.XMLSchema(file=path).assertValid(document)
        document.set("skipped", "1")  # and the schema would notice
        assert not etree.XMLSchema(file=path).validate(document)
        del document.attrib["skipped"]


@pytest.mark.parametrize("width", [20, 60, 140])
def test_terminal(width: int) -> None:
    """Lines stay within any width, and the verdict is the last thing said."""
    plan, evidence = capture.read(GOLDEN / "stream-killed.fires.jsonl")
    own = settings.Settings(factory="buggy", fail_on=(conditions.parse("close_wait_left > 0", "", ""),))
    report = checks.judge(plan, evidence, own.asked())
    text = terminal.render(report, width, verbose=False)
    assert all(len(line) <= width for line in text.splitlines())
    assert "".join(text.split()).endswith("".join(report.verdict.split()))


# --- where a factory is defined ------------------------------------------------------------------------


def test_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line of each kind of subject: what it is, or where the module gives it its name."""
    source = [
        "import functools",
        "class Foreign: pass",
        "def decorated(f):",
        "    @functools.wraps(f)",
        "    def inner(*args): return f(*args)",
        "    return inner",
        "@decorated",
        "def factory(kwargs): pass",
        "part = functools.partial(factory, 1)",
        "class Pool:",
        "    @classmethod",
        "    def make(cls): pass",
        "pool: object = Pool()",
        "if True:",
        "    instance = Foreign()",
        "Alias = Foreign",
    ]
    path = tmp_path / "subjects_to_place.py"
    path.write_text("\n".join(source))
    monkeypatch.chdir(tmp_path)
    module: dict[str, Any] = {"__name__": path.stem}
    monkeypatch.setitem(sys.modules, path.stem, type(sys)(path.stem))
    sys.modules[path.stem].__file__ = str(path)
    exec(compile(path.read_text(), str(path), "exec"), module)
    vars(sys.modules[path.stem]).update(module)

    def line(name: str, thing: Any) -> Any:
        found = worker_spec.defined_at(thing, (module["Foreign"],), f"{path.name}:{name}")
        assert found["file"] == path.name
        return found["line"]

    assert line("factory", module["factory"]) == 7
    assert line("part", module["part"]) == 7
    assert line("Pool", module["Pool"]) == 10
    assert line("Pool.make", module["Pool"].make) == 11
    assert line("pool", module["pool"]) == 13
    assert line("instance", module["instance"]) == 15
    assert line("Alias", module["Foreign"]) == 16
    assert line("nowhere", 5) is None
    assert worker_spec.defined_at(5, (), "not_a_module:x") is None


def test_every_limit_and_key_is_documented() -> None:
    text = (ROOT / "docs" / "check.md").read_text()
    assert all(f"`{key}`" in text for key in settings.FLAGS)
    assert RowStatus.COULD_NOT_TELL in text
