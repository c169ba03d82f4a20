"""`--python`: whatever is named there, the report says what it is, or one line says why not and how to mend it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from unittest import mock

import pytest
from conftest import Cli

from hermes_diag.core import matrix
from hermes_diag.core.errors import CannotMeasure
from hermes_diag.run import lane, lanes, payload, pythons, runner
from hermes_diag.run.interpreter import Target

QUICK = ("--turns", 2, "--workload", "steady", "--strategy", "fixed", "--end", "close")


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """A virtualenv without anything in it."""
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder


def site_packages(folder: Path) -> Path:
    return next(folder.glob("lib/python*/site-packages"))


def lend_sdk(folder: Path) -> None:
    """Let the virtualenv see the SDK of this one."""
    (site_packages(folder) / "sdk.pth").write_text(sysconfig.get_path("purelib") + "\n")


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and time of change."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
    }


def test_a_folder_is_its_interpreter_and_stays_untouched(cli: Cli, venv: Path) -> None:
    """A virtualenv's folder will do; what it holds is neither added to nor changed, no cache is written."""
    lend_sdk(venv)
    own = site_packages(venv)
    (own / "sitecustomize.py").write_text("import its_own_module\n")
    (own / "its_own_module.py").write_text("SEEN = 1\n")
    before = listing(venv)
    for start in ("fork", "spawn"):
        done = cli("repro", "--python", venv, "--json", "--set", f"start={start}", *QUICK)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["stack"]["openai"]
    assert listing(venv) == before


def test_links_are_not_followed(venv: Path) -> None:
    """A virtualenv's interpreter is a link; behind it there is no virtualenv any more."""
    assert pythons.resolve(str(venv)) == str(venv / "bin" / "python")
    assert pythons.resolve("python3") == "python3"


def test_a_python_that_prints_at_start(cli: Cli, venv: Path) -> None:
    """A .pth file and a sitecustomize that print a megabyte to both streams: nothing of it reaches ours."""
    lend_sdk(venv)
    own = site_packages(venv)
    (own / "noise.pth").write_text("import sys; sys.stdout.write('noise'); sys.stderr.write('noise')\n")
    (own / "sitecustomize.py").write_text("import os\nfor fd in (1, 2):\n    os.write(fd, b'noise\\n' * 200_000)\n")
    done = cli("repro", "--python", venv, "--json", *QUICK)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["verdict"] == "the fix holds"


def test_a_python_that_is_too_old(cli: Cli, tmp_path: Path) -> None:
    """It says so itself, before it reads anything that it could not; real ones where they are named."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.version_info = (3, 8, 18, 'final', 0)\n")
    claims_to_be = executable(tmp_path / "python", f'#!/bin/sh\nPYTHONPATH="{tmp_path}" exec "{sys.executable}" "$@"\n')
    named = os.environ.get("HERMES_DIAG_OLD_PYTHONS", "")
    for python in (str(claims_to_be), *filter(None, named.split(os.pathsep))):
        done = cli("repro", "--python", python)
        assert (done.returncode, done.stdout) == (3, "")
        assert f"{python} has Python " in done.stderr
        assert "needs 3.9 or newer" in done.stderr
        assert "-m pip install 'openai>=2.24'" in done.stderr


@pytest.mark.parametrize("version", ["2.23.1", "1.99.0", "0.28.1"])
def test_an_sdk_that_is_too_old(cli: Cli, venv: Path, version: str) -> None:
    """Named with its version and the pip line; an old SDK lacks more than a version number."""
    (site_packages(venv) / "openai.py").write_text(f"__version__ = {version!r}\n")
    done = cli("repro", "--python", venv)
    assert (done.returncode, done.stdout) == (3, "")
    assert f"has openai {version}, the worker needs 2.24 or newer" in done.stderr
    assert f"{venv}/bin/python -m pip install 'openai>=2.24'" in done.stderr


@pytest.mark.parametrize(
    "broken", ["raise SystemExit(0)", "1/0", "import none_such", "import os; os._exit(5)", "raise KeyboardInterrupt"]
)
def test_an_sdk_that_cannot_be_imported(cli: Cli, venv: Path, broken: str) -> None:
    """However its import ends: exit 3, one line and the pip line."""
    (site_packages(venv) / "openai.py").write_text(broken + "\n")
    done = cli("repro", "--python", venv)
    assert (done.returncode, done.stdout) == (3, "")
    assert "-m pip install 'openai>=2.24'" in done.stderr
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("other", ["true", "cat", "env"])
def test_a_program_that_is_no_python(cli: Cli, other: str) -> None:
    """It ends without a word, and that is what is said."""
    done = cli("repro", "--python", other)
    assert (done.returncode, done.stdout) == (3, "")
    assert f"{other} ended before it could say what SDK it has" in done.stderr
    assert "Python >= 3.9" in done.stderr


def test_what_cannot_be_started(cli: Cli, tmp_path: Path) -> None:
    """An empty folder, a file that is not executable, one of an unknown format, a broken link, no name."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "plain").write_text("")
    executable(tmp_path / "garbage", "\0\1\2")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("folder", "plain", "garbage", "link", ""):
        done = cli("repro", "--python", tmp_path / name if name else "")
        # What is there and will not start is another matter than what is not there.
        assert (done.returncode, done.stdout) == (3 if name == "garbage" else 2, ""), name
        assert len(done.stderr.splitlines()) == 2, done.stderr
        assert "Python 3.9" in done.stderr or "python3 -m venv" in done.stderr


def test_a_program_that_hangs(tmp_path: Path) -> None:
    """Waited for, for a bounded time; then it is ended, with all that it has started."""
    hangs = executable(tmp_path / "python", "#!/bin/sh\nsleep 1000 & wait\n")
    plan_ = matrix.make(payload.load(None).info, ("fixed",), ("close",), ("steady",))
    with (
        mock.patch.object(lane, "START_PATIENCE", 0.5),
        pytest.raises(CannotMeasure, match="was silent for"),
    ):
        runner.finish(runner.Runner(plan_, [payload.load(None).wire], lanes.interpreters(Target(str(hangs)))))


def test_a_program_of_this_folder(cli: Cli, tmp_path: Path) -> None:
    """./true is not the one on PATH."""
    (tmp_path / "true").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (tmp_path / "true").chmod(0o755)
    done = cli("repro", "--python", "./true", "--workload", "steady", "--turns", "2")
    assert done.returncode == 0, done.stderr
