"""docs/schema/report.json: made from the types, and true of what every command prints with --json."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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


def test_it_is_current() -> None:
    """scripts/schema.py prints it."""
    script = [sys.executable, str(ROOT / "scripts" / "schema.py")]
    made = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert json.loads(made) == SCHEMA


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
