"""The marker finds each of the seeded leaks, by the line that opens it, and accuses no healthy twin."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conftest import GOLDEN
from leaks import run

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what a process holds is read from /proc"),
    pytest.mark.timeout(400),  # a minute on a machine that is busy
]


def test_there_are_twins() -> None:
    """Each leak has its healthy twin, and there are more than twenty."""
    expected = run.expected()
    leaks = {test.removesuffix("_leak") for test, line in expected.items() if line}
    assert leaks == {test for test, line in expected.items() if not line}
    assert len(leaks) >= 20


def test_leaks_are_found_and_twins_are_not(tmp_path: Path) -> None:
    """In random order (pytest-randomly shuffles), each named as a stranger understands it."""
    said, output = run.run(tmp_path / "record")
    assert not run.wrong(said), output[-2000:]
    golden = (GOLDEN / "leaks.txt").read_text()
    assert run.open_either_way(run.texts(said)) == run.open_either_way(golden)


def test_so_they_are_elsewhere(tmp_path: Path) -> None:
    """By the backend of other systems, forced: all verdicts, and all lines but where it shows no socket."""
    said, output = run.run(tmp_path / "record", backend="portable")
    assert not run.wrong(said, run.WITHOUT_LINE), output[-2000:]


def test_so_they_are_under_xdist(tmp_path: Path) -> None:
    """In two processes, and the reports come to a third."""
    said, output = run.run(tmp_path / "record", "-n", "2")
    assert not run.wrong(said), output[-2000:]
