"""The wheel: what `pip install .` puts into an environment."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import httpx
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
    """The code, its samples, its named days and py.typed; no test, no script, no compiled file."""
    assert "hermes_diag/py.typed" in wheel
    assert {name for name in wheel if name.startswith("hermes_diag/run/samples/")} == {
        f"hermes_diag/run/samples/{path.name}" for path in (ROOT / "hermes_diag" / "run" / "samples").iterdir()
    }
    days = (ROOT / "hermes_diag" / "provider" / "plans" / "days").glob("*.toml")
    assert {f"hermes_diag/provider/plans/days/{path.name}" for path in days} == {
        name for name in wheel if "/days/" in name
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


UVX, UV_CACHE = (os.environ.get(name, "") for name in ("HERMES_DIAG_UVX", "HERMES_DIAG_UV_CACHE"))


@pytest.mark.skipif(not (UVX and UV_CACHE), reason="HERMES_DIAG_UVX and HERMES_DIAG_UV_CACHE name no uvx and no cache")
def test_uvx_serves_from_a_clean_clone(tmp_path: Path) -> None:
    """The one line of docs/provider.md: it serves, answers, and ends with Ctrl-C; nothing is written into the clone."""
    kept = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = [name for name in kept.split("\0") if name and (ROOT / name).is_file()]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    line = "uvx --from . hermes-diag serve"
    assert f"    $ {line}\n" in (ROOT / "docs" / "provider.md").read_text()
    with subprocess.Popen(
        [UVX, "--offline", "--python", sys.executable, *line.split()[1:]],
        cwd=tmp_path,
        env={**os.environ, "UV_CACHE_DIR": UV_CACHE},
        start_new_session=True,  # a group of its own, to which Ctrl-C goes
        stdout=subprocess.PIPE,
        text=True,
    ) as serving:
        try:
            assert serving.stdout is not None
            first = serving.stdout.readline()
            assert first.startswith("serving http://127.0.0.1:"), first
            answer = httpx.post(
                first.split()[1] + "/responses", json={"model": "gpt-5", "input": "hi"}, trust_env=False
            )
            assert answer.status_code == 200
            os.killpg(serving.pid, signal.SIGINT)
            rest, _ = serving.communicate(timeout=30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(serving.pid, signal.SIGKILL)
    assert re.search(r"^fault healthy +1$", rest, re.MULTILINE)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {name for name in found if not name.endswith(".pyc")} == set(names)  # the build imports modules of the clone


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
