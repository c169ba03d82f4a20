"""Real processes that leak, and healthy ones that look as if they did: each watched as a user would watch it."""

from __future__ import annotations

import sys
from pathlib import Path

import lifelike
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
import truth_processes


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kinds of descriptors are named on Linux")
def test_real_processes() -> None:
    """Every leak is found and named, every healthy process is clean. All at once: it takes 11 s."""
    found = truth_processes.run(10.5, [*lifelike.LEAKS, *lifelike.HEALTHY])
    wrong = {name: one.verdict for name, one in found.items() if not truth_processes.is_right(name, one)}
    assert not wrong
    assert len(found) == 17
