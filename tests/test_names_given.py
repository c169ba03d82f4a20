"""Names and paths that mean no good start no program and reach no other file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from names_given import GROUPS, NAMES

USAGE, COULD_NOT_MEASURE, OK = "2", "3", "0"


@pytest.mark.parametrize("group", GROUPS)
def test_nothing_starts_and_nothing_changes(tmp_path: Path, group: str) -> None:
    """Words for a shell, options, links, .. and /, lines, NUL, 10,000 characters: of versions, specs, plans, files."""
    place, outside = tmp_path / "in", tmp_path / "outside"
    for folder in (place, outside, tmp_path / "tmp"):
        folder.mkdir()
    (outside / "secret").write_text("kept")
    (place / "link").symlink_to("../outside/secret")
    command = [sys.executable, "-B", str(ROOT / "tests" / "names_given.py"), group]
    done = subprocess.run(
        command, cwd=place, capture_output=True, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp"), "HOME": str(place)}, check=False, timeout=100,
    )  # fmt: skip
    *found, counts = map(json.loads, done.stdout.splitlines())
    assert found == []
    assert counts["codes"].keys() <= {USAGE, COULD_NOT_MEASURE, OK}
    assert sum(counts["codes"].values()) == len(GROUPS[group]) * len(NAMES)
    assert counts["codes"][USAGE] > 0.9 * sum(counts["codes"].values())
    assert sorted(path.name for path in place.iterdir()) == ["link"]
    assert [path.read_text() for path in outside.iterdir()] == ["kept"]


def test_the_driver_sees_what_starts_and_what_changes(tmp_path: Path) -> None:
    """The same with a command that does both."""
    code = (
        "import subprocess, sys, names_given\n"
        "names_given.run = lambda arguments: (open('pwned', 'w'), subprocess.call(['true']))[1]\n"
        "names_given.main('specs')"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests"), "TMPDIR": "/nowhere"},
    )  # fmt: skip
    what = {json.loads(line).get("what") for line in done.stdout.splitlines()}
    assert {"starts", "changes"} <= what, done.stderr


def test_a_user_without_a_home() -> None:
    """As in a container whose user nobody knows: one line and a cure; ~ of nobody is a name like any other."""
    code = (
        "import os, pwd, sys; os.environ.pop('HOME', None); pwd.getpwuid = lambda uid: {}[uid]\n"
        "from hermes_diag.cli import main; main()"
    )
    for arguments in (["logs"], ["hermes", "0.0.0.0.1"], ["repro", "last-dump"]):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.splitlines()) == (
            3, ["hermes-diag: this user has no home folder", "  set HOME to a folder"],
        )  # fmt: skip
    for arguments in (
        ["logs", "--home", "~nobody-at-all"],
        ["audit", "fixed", "--python", "~nobody-at-all/bin/python"],
    ):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
        assert "internal error" not in done.stderr
        assert "~nobody-at-all" in done.stderr
