"""The recorder of `trace` harms no program: whatever it is, and whatever goes wrong within the recorder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

FAULTS = ROOT / "tests" / "recorder_faults.py"
PARTS = 4


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", range(PARTS))
def test_an_error_in_any_statement_of_the_recorder_is_not_the_programs(tmp_path: Path, part: int) -> None:
    count = int(subprocess.run([sys.executable, FAULTS], capture_output=True, check=True, text=True).stdout)
    command = [sys.executable, FAULTS, str(part), str(count), str(PARTS), tmp_path]
    ran = subprocess.run(command, capture_output=True, check=True, text=True)
    said = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(said) == len(range(part, count, PARTS))
    assert [one for one in said if one["changed"]] == []
    for one in said:
        lines = one["stderr"].splitlines()
        assert len(lines) <= 1, one
        assert all(line.startswith("hermes-diag: ") for line in lines), one
    reached = sum(one["reached"] for one in said)
    assert reached > 0.7 * len(said)
