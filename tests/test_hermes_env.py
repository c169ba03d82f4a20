"""Environments for `--hermes`: made by the real venv and pip, from a wheel on disk, without a network."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Cli

from hermes_diag.core.errors import UsageError
from hermes_diag.hermes import environment

ENSURE = "import sys; from hermes_diag.hermes import environment; print(environment.ensure('0.0.1', print))"
#: Alike for all environments of one interpreter.
NAME = f"0.0.1-py{sys.version_info.major}.{sys.version_info.minor}"

Starter = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def offline(tmp_path: Path) -> dict[str, str]:
    """An environment in which pip knows one release of hermes-agent, 0.0.1, and asks nobody; no uv."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    info = "hermes_agent-0.0.1.dist-info"
    with zipfile.ZipFile(wheels / "hermes_agent-0.0.1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("run_agent.py", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: hermes-agent\nVersion: 0.0.1\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PIP_")},
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_CONFIG_FILE": os.devnull,
        "PATH": os.defpath,
    }


@pytest.fixture
def ensure(offline: dict[str, str]) -> Starter:
    """Starts another hermes-diag that needs the environment."""
    return lambda: subprocess.Popen([sys.executable, "-c", ENSURE], stdout=subprocess.PIPE, text=True, env=offline)


def test_two_at_once_make_one(ensure: Starter, tmp_path: Path) -> None:
    """One makes it and the other waits; the third finds it. What a killed run left is no environment."""
    half = tmp_path / "cache" / "hermes-diag" / "hermes" / NAME
    (half / "bin").mkdir(parents=True)
    (half / "bin" / "python").symlink_to(sys.executable)
    with ensure() as one, ensure() as other:
        said = [process.communicate(timeout=100)[0] for process in (one, other)]
    assert one.returncode == other.returncode == 0
    assert sum("venv and pip" in text for text in said) == 1
    with ensure() as third:
        lines = third.communicate(timeout=100)[0].splitlines()
    assert lines == [str(half / "bin" / "python")]  # nothing was made
    found = subprocess.run(
        [lines[0], "-c", "import run_agent; print(run_agent.__file__)"], capture_output=True, text=True
    )
    assert str(half) in found.stdout


def test_a_release_that_does_not_exist(cli: Cli, offline: dict[str, str], tmp_path: Path) -> None:
    """Exit 3, pip's reason in one line, and nothing half-made is left."""
    done = cli("hermes", "0.0.2", **offline)
    assert done.returncode == 3
    assert "cannot install hermes-agent 0.0.2: ERROR: " in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert [path.name for path in (tmp_path / "cache" / "hermes-diag" / "hermes").iterdir()] == [
        f"0.0.2-{NAME.partition('-')[2]}.lock"
    ]


def test_a_cache_that_cannot_be_written(cli: Cli, offline: dict[str, str], tmp_path: Path) -> None:
    """Exit 3 and the cure."""
    (tmp_path / "file").write_text("")
    done = cli("hermes", "0.0.1", **{**offline, "XDG_CACHE_HOME": str(tmp_path / "file")})
    assert done.returncode == 3
    assert "set XDG_CACHE_HOME" in done.stderr


@pytest.mark.parametrize("version", ["", "-r x", "0.19.0;x", "0.19.0 ", "latest", "1" * 50, "../x", "==0.19"])
def test_what_is_no_version(version: str) -> None:
    """Nothing that pip or a path could read as something else."""
    with pytest.raises(UsageError):
        environment.check_version(version)


def test_a_reason_names_no_address() -> None:
    """An index of the user's may hold a password."""
    text = "WARNING: retrying\nERROR: 401 for https://me:secret@index.invalid/simple/x\nERROR: no\n"
    assert environment.reason(text) == "ERROR: 401 for <address>"
    assert environment.reason("") == "it gave no reason"


@pytest.mark.parametrize("cache", ["", "relative"])
def test_the_cache_is_the_users(cache: str) -> None:
    """XDG_CACHE_HOME counts when it is absolute, as its standard says."""
    assert environment.folder({"XDG_CACHE_HOME": cache}) == Path.home() / ".cache" / "hermes-diag" / "hermes"
    assert environment.folder({"XDG_CACHE_HOME": "/x"}) == Path("/x/hermes-diag/hermes")
