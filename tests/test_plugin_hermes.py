"""The pytest plugin inside a real Hermes environment, on the real AIAgent, in a network namespace of its own."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

HERMES = os.environ.get("HERMES_DIAG_HERMES_PYTHON", "")

pytestmark = [
    pytest.mark.skipif(not HERMES, reason="HERMES_DIAG_HERMES_PYTHON names no Python with hermes-agent"),
    pytest.mark.skipif(
        not (sys.platform.startswith("linux") and os.geteuid() == 0 and shutil.which("unshare")),
        reason="a network namespace needs root on Linux",
    ),
    pytest.mark.timeout(240),
]

#: All that the plugin and its provider need beyond what Hermes has.
NEEDED = ("hermes_diag", "msgspec", "trustme", "pytest", "_pytest", "py", "pluggy", "iniconfig")


def lend(folder: Path) -> None:
    """Put NEEDED and our entry point into a folder: what `pip install hermes-diag pytest` does, without a network."""
    folder.mkdir()
    for name in NEEDED:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (folder / source.name).symlink_to(source)
    for name in ("hermes-diag", "pytest", "pluggy"):
        version = importlib.metadata.version(name)
        metadata = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    ours = importlib.metadata.entry_points(group="pytest11", name="hermes_diag")
    (next(folder.glob("hermes_diag-*")) / "entry_points.txt").write_text(
        f"[pytest11]\nhermes_diag = {next(iter(ours)).value}\n"
    )


def test_the_real_agent(tmp_path: Path) -> None:
    """Its turns leave no socket behind; a client that is left open is named by its line."""
    theirs = subprocess.run(
        [HERMES, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True, check=True
    )
    if theirs.stdout.strip() != str(sys.version_info[:2]):
        pytest.skip("our compiled msgspec does not fit the Python of Hermes")
    lend(tmp_path / "lent")
    shutil.copy(ROOT / "tests" / "hermes_agent_example.py", tmp_path / "test_agent.py")
    # The environment is that of other tests too, which see whether anything is written into it.
    own = {"PYTHONPATH": str(tmp_path / "lent"), "PYTEST_ADDOPTS": "", "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["unshare", "-n", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", HERMES, "-m", "pytest"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--show-capture=no", "test_agent.py"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), **own},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "opened at test_agent.py:25 in test_a_client_that_nobody_closes_is_found" in done.stdout
    assert "agent.client.models.list()" in done.stdout
