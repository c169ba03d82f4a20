"""The loop's findings hold for clients that speak HTTP/2: a leak is found, and where there is none nothing is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT, Cli
from provider_tools import OPENAI_2, OPENAI_3, has_h2

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import rules
from hermes_diag.run import capture

GENERATIONS = [
    pytest.param(OPENAI_2, id="openai2"),
    pytest.param(
        OPENAI_3, id="openai3", marks=pytest.mark.skipif(not has_h2(OPENAI_3), reason="no Python with openai 3 and h2")
    ),
]


def replayed(cli: Cli, folder: Path, python: str, factory: str, *options: object) -> Evidence:
    """The evidence of 8 turns of a factory, over TLS."""
    saved = folder / "saved.jsonl"
    subject = f"{ROOT / 'tests' / 'http2_factories.py'}:{factory}"
    size = ("--sessions", 1, "--turns", 8, "--workload", "steady", "--python", python, "--set", "tls=on")
    done = cli("replay", subject, *size, *options, "--save", saved)
    assert done.returncode in (0, 1), done.stderr
    (evidence,) = (one for one in capture.read(saved)[1] if one.cell.workload == "steady")
    return evidence


def codes(evidence: Evidence) -> set[str]:
    return {finding.code for finding in rules.findings(evidence)}


@pytest.mark.parametrize("python", GENERATIONS)
@pytest.mark.parametrize("factory", ["right", "right_async"])
def test_a_client_that_is_closed_is_quiet(cli: Cli, tmp_path: Path, python: str, factory: str) -> None:
    evidence = replayed(cli, tmp_path, python, factory)
    assert codes(evidence) == set()
    assert len(evidence.turns) == 8


@pytest.mark.parametrize("python", GENERATIONS)
def test_a_client_a_turn_that_nobody_closes_is_found(cli: Cli, tmp_path: Path, python: str) -> None:
    """The provider closes each idle connection with GOAWAY and FIN; the client never does."""
    evidence = replayed(cli, tmp_path, python, "keeps_each")
    assert "close-wait-grows" in codes(evidence)
    assert max(one.owned.get("CLOSE_WAIT", 0) for one in evidence.samples) == 8


@pytest.mark.parametrize("python", GENERATIONS)
def test_a_shared_client_uses_a_connection_that_was_closed(cli: Cli, tmp_path: Path, python: str) -> None:
    """httpcore does not look whether the provider has closed: each second turn fails. None does when it has not."""
    assert "turns-failed" in codes(replayed(cli, tmp_path, python, "Shared", "--set", "until-sure=8"))
    assert codes(replayed(cli, tmp_path, python, "Shared", "--force", "--set", "idle-close=never")) == set()
