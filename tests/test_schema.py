"""docs/schema/report.json: made from the types, and true of what every command prints with --json."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import GOLDEN, ROOT, Cli

from hermes_diag.core.report import Report
from hermes_diag.core.status import Status
from hermes_diag.reporters.formats import json as format_

SCHEMA: dict[str, Any] = json.loads((ROOT / "docs" / "schema" / "report.json").read_text())
QUICK = ("--turns", 4, "--workload", "steady")
FACTORY = ROOT / "tests" / "factories.py"


def valid(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    jsonschema.validate(document, SCHEMA)
    return document


@pytest.mark.parametrize("name", ["report", "capture"])
def test_it_is_current(name: str) -> None:
    """scripts/schema.py prints it."""
    script = [sys.executable, str(ROOT / "scripts" / "schema.py"), name]
    made = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert json.loads(made) == json.loads((ROOT / "docs" / "schema" / f"{name}.json").read_text())


@pytest.mark.parametrize("path", sorted((GOLDEN / "captures").glob("*.jsonl.gz")), ids=lambda path: path.name)
def test_captures_are_valid(path: Path) -> None:
    """Each line of each kind; a record of another name, and one whose fields are of other types, are not."""
    check = jsonschema.Draft202012Validator(json.loads((ROOT / "docs" / "schema" / "capture.json").read_text()))
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    for line in lines:
        check.validate(line)
    assert not check.is_valid({**lines[-1], "record": "dream"})
    wrong = {name: {"no": "such type"} if isinstance(value, str) else "x" for name, value in lines[-1].items()}
    assert not check.is_valid({**wrong, "record": lines[-1]["record"]})


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("repro", ("repro", *QUICK, "--strategy", "fixed")),
        ("replay", ("replay", f"{FACTORY}:right", *QUICK)),
        ("audit", ("audit", "buggy")),
        ("check", ("check", "--workload", "steady")),
        ("scenarios", ("scenarios", "closed-client")),
        ("scenarios", ("scenarios", "list")),
        ("faults", ("faults",)),
        ("sockets", ("sockets", os.getpid())),
        ("logs", ("logs", GOLDEN.parent / "gateway_logs" / "hermes-0.19.0.log")),
        ("repro", ("report", GOLDEN / "close-wait-grows.fires.jsonl")),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_documents_are_valid(cli: Cli, command: str, arguments: tuple[object, ...]) -> None:
    """One document, nothing else on stdout; it names the command, and its exit code is the process's."""
    done = cli(*arguments, "--json")
    document = valid(done.stdout)
    assert (document["command"], document["exit_code"]) == (command, done.returncode)


def test_the_summary_of_a_watch(cli: Cli) -> None:
    """Its last line is such a document."""
    done = cli("sockets", os.getpid(), "--watch", "--interval", "20ms", "--duration", "300ms", "--json")
    assert valid(done.stdout.splitlines()[-1])["exit_code"] == done.returncode


@pytest.mark.parametrize(
    "arguments",
    [
        ("repro",),
        ("replay", f"{FACTORY}:right"),
        ("audit", f"{FACTORY}:right"),
        ("check",),
        ("scenarios",),
        ("sockets", os.getpid(), "--watch", "--interval", "20ms"),
    ],
    ids=lambda value: str(value[0]),
)
def test_a_real_interrupt_says_130(tmp_path: Path, arguments: tuple[object, ...]) -> None:
    """Ctrl-C in the middle: the last line is a whole document all the same, and says so."""
    saved = tmp_path / "run.jsonl"
    command = [sys.executable, "-m", "hermes_diag", *map(str, arguments), "--json", "--save", str(saved)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as host:
        while host.poll() is None and not (saved.exists() and saved.read_bytes().count(b"\n") > 3):
            time.sleep(0.002)
        host.send_signal(signal.SIGINT)
        out, err = host.communicate(timeout=100)
    document = valid(out.splitlines()[-1] if arguments[0] == "sockets" else out)
    assert (host.returncode, document["exit_code"], document["command"]) == (130, 130, arguments[0])
    assert document["interrupted"] is True
    assert "Traceback" not in err


@pytest.mark.parametrize("status", Status)
def test_an_interrupted_run_says_130(status: Status) -> None:
    """In the document as for the process, whatever was found until then."""
    report = Report(command="repro", subject="x", status=status, verdict="x", stack=None, interrupted=True)
    document = valid(format_.render(report, 80, verbose=False))
    assert (document["exit_code"], document["interrupted"], document["status"]) == (130, True, status)


def test_the_schema_can_fail(tmp_path: Path) -> None:
    """A document without its status is none."""
    with pytest.raises(jsonschema.ValidationError):
        valid('{"schema": 1, "command": "repro", "exit_code": 0, "stack": null, "findings": []}')
