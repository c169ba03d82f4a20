"""The marker finds each of the seeded leaks, by the line that opens it, and accuses no healthy twin."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from leaks import run

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what a process holds is read from /proc")


def test_there_are_twins() -> None:
    """Each leak has its healthy twin, and there are more than twenty."""
    expected = run.expected()
    leaks = {test.removesuffix("_leak") for test, line in expected.items() if line}
    assert leaks == {test for test, line in expected.items() if not line}
    assert len(leaks) >= 20


@pytest.mark.parametrize("arguments", [["-p", "no:xdist"], ["-n", "2"]], ids=["one process", "xdist"])
def test_leaks_are_found_and_twins_are_not(arguments: list[str], tmp_path: Path) -> None:
    """In random order (pytest-randomly shuffles), in one process or in two."""
    wrong, output = run.wrong(tmp_path / "record", *arguments)
    assert not wrong, "\n".join([*wrong, output[-2000:]])
