"""Strategies and workloads are one file each: what each file says, and that one more file is all it takes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from hermes_diag.core.leaves import leaves
from hermes_diag.run.interpreter import WORKER

FUNCTIONS = {"strategies": "def create_client(sdk, client_kwargs):", "workloads": "def run(driver):"}
KEYS = {
    "IN_MATRIX": None,
    "ORDER": None,
    "LOOP": {"sessions", "turns", "scope"},
    "HERMES": {"sessions", "turns", "fault", "watchdog", "retries", "pool"},
    "CHECK": {"sessions", "turns"},
    "ON_DEMAND": None,
    "CONDITIONS": {"tls", "bystanders", "dead", "hurried"},
}
LEAVES = [(folder, name) for folder in FUNCTIONS for name in leaves(folder)]

CLOSED = '''"""The client is closed before anyone has used it."""


def create_client(sdk, client_kwargs):
    client = sdk.OpenAI(**client_kwargs)
    client.close()
    return client
'''
PLAINER = '''"""No http_client is injected."""


def create_client(sdk, client_kwargs):
    return sdk.OpenAI(**client_kwargs)
'''
PAIRS = '''"""Each session has two turns in a row."""

LOOP = {"sessions": 2, "turns": 4, "scope": "session"}


def run(driver):
    for turn in driver.rounds():
        for session in driver.order():
            driver.turn(session, turn)
'''


@pytest.mark.parametrize(("folder", "name"), LEAVES)
def test_a_leaf_is_well_formed(folder: str, name: str) -> None:
    """A summary, its function, and no constant that nobody reads."""
    leaf, source = leaves(folder)[name], (WORKER / folder / f"{name}.py").read_text()
    assert 20 < len(leaf.summary) < 120
    assert FUNCTIONS[folder] in source
    for constant, keys in KEYS.items():
        if keys is not None:
            assert set(leaf.constants.get(constant, ())) <= keys
    loop = leaf.constants.get("LOOP")
    assert loop is None or loop["scope"] in ("session", "gateway")
    assert folder == "workloads" or not {"LOOP", "HERMES", "CHECK"} & set(leaf.constants)


def test_the_folders_are_what_there_is() -> None:
    """Each file is listed, in the order of reports."""
    for folder in FUNCTIONS:
        files = {path.stem for path in (WORKER / folder).glob("*.py")} - {"__init__"}
        assert set(leaves(folder)) == files
    assert list(leaves("workloads"))[:4] == ["steady", "interrupted", "overlapping", "aborted"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package with two strategies and a workload more."""
    package = tmp_path / "tree" / "hermes_diag"
    shutil.copytree(ROOT / "hermes_diag", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "worker" / "strategies" / "closed.py").write_text(CLOSED)
    (package / "worker" / "strategies" / "plainer.py").write_text(PLAINER)
    (package / "worker" / "workloads" / "pairs.py").write_text(PAIRS)
    return package.parent


@pytest.mark.parametrize(
    ("strategy", "code", "word", "verdict"),
    [
        ("plainer", 0, "ok", "every turn ended well and nothing grew"),
        ("closed", 1, "fails", "closed: fails in closed/close/pairs"),
    ],
)
def test_one_file_is_all_it_takes(copy: Path, strategy: str, code: int, word: str, verdict: str) -> None:
    """A strategy and a workload that the bug report knows nothing of run from the command line, and are judged."""
    arguments = ["repro", "--strategy", strategy, "--end", "close", "--workload", "pairs", "--json"]
    done = run_copy(copy, *arguments)
    document = json.loads(done.stdout)
    (cell,) = (cell for cell in document["cells"] if cell["name"] == f"{strategy}/close/pairs")
    assert (done.returncode, cell["word"], cell["expected"]) == (code, word, ""), done.stdout
    assert verdict in document["verdict"]


FORMAT = '''"""Only the verdict, on one line."""

ENDING = ".one"


def render(report, width, verbose):
    return report.verdict + "\\n"
'''
TABLE = '''"""Every socket of the host, by psutil, under another name."""

from hermes_diag.watch.tables.psutil import FOR_ALL, KNOWS_INODES, available, table
'''


def run_copy(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hermes_diag", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_format_is_one_file(copy: Path) -> None:
    """A report is written in it because a file's name ends so."""
    (copy / "hermes_diag" / "reporters" / "formats" / "one.py").write_text(FORMAT)
    capture = ROOT / "tests" / "golden" / "close-wait-grows.fires.jsonl"
    done = run_copy(copy, "report", str(capture), "--output", "x.one")
    assert done.stderr == "saved to x.one\n"
    assert (copy / "x.one").read_text() == done.stdout.splitlines()[-1] + "\n"
    done = run_copy(copy, "report", str(capture), "--output", "x.other")
    assert (done.returncode, done.stdout) == (2, "")
    assert ".one" in done.stderr


def test_a_source_of_socket_tables_is_one_file(copy: Path) -> None:
    """It can be asked for by its file's name, and what is not there is refused with the list."""
    (copy / "hermes_diag" / "watch" / "tables" / "mine.py").write_text(TABLE)
    done = run_copy(copy, "sockets", str(os.getpid()), "--set", "backend=mine", "--json")
    assert json.loads(done.stdout)["backend"] == {"name": "mine", "why": "asked for"}
    done = run_copy(copy, "sockets", str(os.getpid()), "--set", "backend=other")
    assert done.returncode == 2
    assert "mine" in done.stderr
