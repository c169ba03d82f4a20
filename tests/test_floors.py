"""The house stands as designed: floors, light start, a worker that any Python >= 3.9 can run."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from hermes_diag.run import interpreter

WORKER_FILES = sorted(interpreter.WORKER.rglob("*.py"))
#: Everything that the worker may import; the SDK only in sdk.py.
STDLIB = sys.stdlib_module_names | {"__future__"}
SDK = {"openai"}


def test_imports_go_one_way() -> None:
    """The floors of the design hold: import-linter's contracts in pyproject.toml."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["repro", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """`--help` pays neither for the SDK nor for asyncio."""
    code = (
        "import sys; from hermes_diag.cli import main\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'openai', 'httpx', 'httpx2', 'asyncio', 'psutil', 'msgspec', 'h11'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", WORKER_FILES, ids=lambda path: str(path.relative_to(interpreter.WORKER)))
def test_worker_is_python_39_and_stdlib_only(path: Path) -> None:
    """The worker runs in a stranger's virtualenv: old syntax, no import but the standard library."""
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    absolute = {
        alias.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    } | {
        (node.module or "").partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not node.level
    }
    allowed = STDLIB | (SDK if path.name == "sdk.py" else set())
    assert absolute <= allowed, absolute - allowed
