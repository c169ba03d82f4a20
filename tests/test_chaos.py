"""The script that disturbs runs whose verdict is known: some rounds of it, and that it would find what is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import chaos
import chaos_commands


@pytest.mark.parametrize(("only", "seed"), [("signal", 1), ("no output", 2), ("clock", 3), ("few", 4)])
def test_a_round(only: str, seed: int) -> None:
    """The same seed picks the same disturbance of the same command; nothing is wrong with what becomes of it."""
    name, said, wrong = chaos.run(seed, only, "trace")
    assert wrong == []
    assert name.partition(" of ")[0] in chaos.modules()
    assert said in ("right", "3", "130", "ended by it", "not possible here")


def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    """A wrong verdict, a traceback, a process and a folder that are left, and a capture that cannot be read."""
    (tmp_path / "tmp" / "hermes-diag-1-2-3-left").mkdir(parents=True)
    (tmp_path / "stdout").touch()
    (tmp_path / "stderr").write_text("Traceback (most recent call last):")
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "saved.jsonl").write_text("{}\n")
    one = chaos.Round(0, tmp_path, chaos.random.Random(0), chaos_commands.COMMANDS[0])
    one.environment = {"TMPDIR": str(tmp_path / "tmp")}
    left = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(left, env={chaos.MARK: tmp_path.name}) as process:
        assert chaos._judged(one, 1, (15,)) == "WRONG"
        assert chaos._judged(one, -15, (15,)) == "ended by it"
        chaos._check_captures(one)
        chaos._check(one, killed=False)
        process.kill()
    assert [text.split(":")[0] for text in one.wrong] == [
        "exit code 1 (sent", "saved.jsonl cannot be read", "left running", "on stderr",
        "temporary folders or files left",
    ]  # fmt: skip
