"""The scripts on other machines than ours: which interpreter they take, which .venv they trust, what they say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

#: A Python that answers questions as ours does, and makes virtualenvs that hold no more than a link to it.
FAKE = f"""#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then
    echo "made with $0"; mkdir -p "$4/bin"; ln -sf "$0" "$4/bin/python"; exit
fi
[ "$1 $2" = "-m pip" ] && exit
[ "$1" = -c ] && case $2 in *base_prefix*) readlink -f "$0"; exit;; esac
exec '{sys.executable}' "$@"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clone in a path with a blank and an umlaut, whose script does nothing but ensure a .venv."""
    clone = tmp_path / "Prüf stand"
    (clone / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "lib.sh", clone / "scripts")
    (clone / "scripts" / "go").write_text('. "$(dirname "$0")/lib.sh"\nensure_venv ""\necho ready\n')
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, clone)
        os.utime(clone / name, (1, 1))
    return clone


def python(tmp_path: Path, name: str) -> str:
    path = tmp_path / "py thons" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(FAKE)
    path.chmod(0o755)
    return str(path)


def go(folder: Path, asked: str = "") -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHON"}
    return subprocess.run(
        ["sh", str(folder / "scripts" / "go")],
        env={**environment, **({"PYTHON": asked} if asked else {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_another_python_makes_another_venv(folder: Path, tmp_path: Path) -> None:
    """PYTHON is heeded after .venv exists; without it, the .venv that is there is kept."""
    first, second = python(tmp_path, "first"), python(tmp_path, "second")
    assert f"made with {first}" in go(folder, first).stderr
    assert go(folder, first).stderr == ""
    assert go(folder).stderr == ""
    assert f"made with {second}" in go(folder, second).stderr
    done = go(folder)
    assert (done.stdout, done.stderr, done.returncode) == ("ready\n", "", 0)


def test_a_copied_folder_gets_a_venv_of_its_own(folder: Path, tmp_path: Path) -> None:
    """The paths in a copied .venv lead to the original."""
    name = python(tmp_path, "python3")
    go(folder, name)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, symlinks=True)
    assert f"made with {name}" in go(copy, name).stderr
    assert go(folder, name).stderr == ""


def test_a_linked_venv_is_left_alone(folder: Path, tmp_path: Path) -> None:
    """It is the environment of another folder: nothing in it is touched."""
    name = python(tmp_path, "python3")
    go(folder, name)
    other = tmp_path / "other"
    shutil.copytree(folder, other, ignore=shutil.ignore_patterns(".venv"))
    (other / ".venv").symlink_to(folder / ".venv")
    before = sorted(folder.joinpath(".venv").rglob("*"))
    done = go(other, name)
    assert (done.returncode, done.stdout) == (3, "")
    assert "is a link to the environment of another folder" in done.stderr
    assert sorted(folder.joinpath(".venv").rglob("*")) == before
    assert go(folder, name).stderr == ""


def test_an_old_python_is_refused(folder: Path, tmp_path: Path) -> None:
    """In two lines: what is wrong, what to do."""
    done = go(folder, "/bin/false")
    assert done.returncode == 3
    assert done.stderr.splitlines()[0] == "/bin/false is not Python 3.11 or newer"
    assert "set PYTHON" in done.stderr


def test_a_folder_that_cannot_be_written_is_named(folder: Path, tmp_path: Path) -> None:
    """Neither the venv module nor the network is blamed for it. A file in the way fails for root as well."""
    (folder / ".venv").write_text("")
    done = go(folder, python(tmp_path, "python3"))
    assert done.returncode == 3
    assert f"cannot write to {folder}/.venv\n" in done.stderr
    assert "network" not in done.stderr
    assert "venv module" not in done.stderr


@pytest.mark.parametrize("line", (ROOT / "tests" / "smoke.txt").read_text().split())
def test_the_smoke_set_exists(line: str) -> None:
    """What .ci/run tests under every Python is there."""
    file, _, name = line.partition("::")
    name = name.partition("[")[0]
    assert f"def {name}(" in (ROOT / file).read_text() if name else (ROOT / file).exists()
