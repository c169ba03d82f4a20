"""The wheel: what `pip install .` puts into an environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import typer
from conftest import ROOT

from hermes_diag.cli.app import build

DATA = "data/data/share/"  # relative to the prefix of an environment


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The text of each file of a wheel just built, by its path; the version is cut off."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as file:
        return {name.partition("/")[0].rpartition(".")[2] + "/" + name.partition("/")[2]: file.read(name).decode()
                for name in file.namelist()}  # fmt: skip


def test_what_is_in_it(wheel: dict[str, str]) -> None:
    """The code, its samples and py.typed; no test, no script, no compiled file."""
    assert "hermes_diag/py.typed" in wheel
    assert {name for name in wheel if name.startswith("hermes_diag/run/samples/")} == {
        f"hermes_diag/run/samples/{path.name}" for path in (ROOT / "hermes_diag" / "run" / "samples").iterdir()
    }
    assert {name.partition("/")[0] for name in wheel} == {"hermes_diag", "data", "dist-info"}
    assert not [name for name in wheel if name.endswith(".pyc")]


def test_metadata(wheel: dict[str, str]) -> None:
    """openai has no upper bound: an environment that has openai 3 keeps it."""
    metadata = Parser().parsestr(wheel["dist-info/METADATA"])
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert [line for line in required if line.startswith("openai")] == ["openai>=2.24"]
    assert not [line for line in required if "<" in line]
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])


def test_man_page_and_completions(wheel: dict[str, str]) -> None:
    """Generated from the commands: each of them and each of its options is in the man page."""
    page = wheel[DATA + "man/man1/hermes-diag.1"].replace("\\-", "-")
    for name, command in typer.main.get_command(build()).commands.items():  # type: ignore[attr-defined]
        assert f"hermes-diag {name}" in page
        for param in command.params:
            assert param.param_type_name == "argument" or param.hidden or param.opts[-1] in page, param.opts
    assert "_HERMES_DIAG_COMPLETE=complete_bash" in wheel[DATA + "bash-completion/completions/hermes-diag"]
    assert wheel[DATA + "zsh/site-functions/_hermes-diag"].startswith("#compdef hermes-diag\n")


@pytest.mark.skipif(not shutil.which("groff"), reason="needs groff")
def test_the_man_page_is_valid_roff(wheel: dict[str, str], tmp_path: Path) -> None:
    """groff has nothing to complain about."""
    path = tmp_path / "page.1"
    path.write_text(wheel[DATA + "man/man1/hermes-diag.1"])
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    assert "hermes-diag repro" in done.stdout
