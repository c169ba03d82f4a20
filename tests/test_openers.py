"""Of everything that is opened in many ways the line is told, and it is the right one (tests/openers.py)."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hermes_diag.leakguard import traced
from tests.conftest import ROOT, Cli

OPENERS = ROOT / "tests" / "openers.py"
#: Line -> name, as the comments say.
LINES = {
    number: found[1]
    for number, line in enumerate(OPENERS.read_text().splitlines(), start=1)
    if (found := re.search(r"# opens: (\w+)$", line))
}
Said = dict[tuple[int, str, int], dict[str, Any]]


@contextmanager
def recorded(folder: Path, *command: object) -> Iterator[dict[str, Any]]:
    """A program that runs in a trace; what it says in its first line."""
    with subprocess.Popen(
        [sys.executable, *map(str, command)],
        env=traced.environment(folder, paths=False),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            pytest.fail(process.communicate()[1])
        try:
            yield json.loads(line)
        finally:
            said = process.communicate()[1]
    assert "hermes-diag" not in said, said


def origins(cli: Cli, pid: int) -> Said:
    """What `sockets` says of each descriptor and thread."""
    ran = cli("sockets", pid, "--children", "--json")
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)["origins"]
    found = {(one["pid"], "fd", one["fd"]): one["opened"] for one in said["descriptors"]}
    return {**found, **{(one["pid"], "thread", one["tid"]): one["started"] for one in said["threads"]}}


def place(opened: dict[str, Any] | None) -> int:
    """The line of openers.py that is told; 0: none."""
    lines = opened["lines"] if opened else []
    found = re.match(r"openers\.py:(\d+) in ", lines[0]) if lines else None
    return int(found[1]) if found else 0


@pytest.mark.parametrize("load", [[], ["--busy"]], ids=["", "under load"])
def test_the_line_is_right(cli: Cli, tmp_path: Path, load: list[str]) -> None:
    folder = tmp_path / "boxes"
    with recorded(folder, OPENERS, random.randrange(10**6), *load) as program:
        said = origins(cli, program["pid"])
    wrong, held = [], set()
    for one in program["held"]:
        for kind, number in [("fd", fd) for fd in one["fds"]] + [("thread", tid) for tid in one.get("threads", ())]:
            held.add(one["name"])
            opened = said.get((one["pid"], kind, number))
            if LINES.get(place(opened)) != one["name"]:
                wrong.append(f"{one['name']} {kind} {number}: line {place(opened)}, {opened}")
    assert not wrong, f"seed {program['seed']}\n" + "\n".join(wrong)
    assert held == set(LINES.values())  # each way has held something
    assert len(held) >= 40
    twins = [number for number, line in enumerate(OPENERS.read_text().splitlines(), 1) if line.endswith("# twin")]
    assert len(twins) >= 40
    assert not {place(opened) for opened in said.values()} & set(twins)
