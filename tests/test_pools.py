"""What the worker says at each barrier of the pools of the clients, on httpcore and httpcore2, and what that shows."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, Cli
from custom import run_flawed

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import rules
from hermes_diag.run import capture

NEWER = os.environ.get("HERMES_DIAG_OPENAI3_PYTHON", "")
PYTHONS = [
    pytest.param(sys.executable, id="httpcore"),
    pytest.param(
        NEWER, id="httpcore2", marks=pytest.mark.skipif(not NEWER, reason="HERMES_DIAG_OPENAI3_PYTHON is not set")
    ),
]
Replay = Callable[..., Evidence]


@pytest.fixture
def replay(cli: Cli, tmp_path: Path) -> Replay:
    """Replays a factory of tests/pools.py; the evidence of the cell."""

    def run(python: str, factory: str, *options: object, workload: str = "steady") -> Evidence:
        saved = tmp_path / "saved.jsonl"
        subject = f"{ROOT / 'tests' / 'pools.py'}:{factory}"
        size = ("--sessions", 1, "--turns", 8, "--workload", workload, "--python", python)
        done = cli("replay", subject, *size, *options, "--save", saved)
        assert done.returncode in (0, 1), done.stderr
        (evidence,) = (one for one in capture.read(saved)[1] if one.cell.workload == workload)
        return evidence

    return run


def codes(evidence: Evidence) -> set[str]:
    return {finding.code for finding in rules.findings(evidence)}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("factory", ["shared", "shared_async"])
def test_tunnels_whose_tls_failed(replay: Replay, python: str, factory: str) -> None:
    """Each second handshake fails: its tunnel keeps a place of the three, and after three no request gets one."""
    evidence = replay(python, factory, "--set", "proxy=on", "--fault", "tls-reset-handshake:every=2")
    assert len(evidence.pools) == len(evidence.barriers)
    assert [one.failed_tunnels for one in evidence.pools] == [0, 0, 1, 1, 2, 2, 3, 3, 3]
    assert [one.without_socket for one in evidence.pools] == [0, 0, 1, 1, 2, 2, 3, 3, 3]
    assert [one.connections for one in evidence.pools] == [0, 1, 1, 2, 2, 3, 3, 3, 3]
    assert [one.idle for one in evidence.pools] == [0, 1, 0, 1, 0, 1, 0, 0, 0]
    assert {(one.limit, one.queued) for one in evidence.pools} == {(3, 0)}
    (finding,) = (one for one in rules.findings(evidence) if one.code == "tunnels-kept")
    assert finding.numbers == {"tunnels": 3, "limit": 3, "starved": 2}
    assert "3 of 3 places of a pool are kept by tunnels" in finding.summary
    assert finding.turns == ("1/7/1", "1/8/1")
    assert not {"slots-lost", "pool-exhausted"} & codes(evidence)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    ("factory", "options"),
    [
        (
            "one_each",
            ("--set", "proxy=on", "--fault", "tls-reset-handshake:every=2"),
        ),  # a pool is closed with its client
        ("shared", ("--set", "proxy=on")),  # tunnels that hold
        ("shared", ("--set", "tls=on", "--fault", "tls-reset-handshake:every=2")),  # TLS without a tunnel
        ("shared", ("--fault", "rst-before-headers:every=2")),
    ],
)
def test_no_place_is_lost(replay: Replay, python: str, factory: str, options: tuple[str, ...]) -> None:
    """A failure that gives its place back, and none."""
    evidence = replay(python, factory, *options)
    assert len(evidence.pools) == len(evidence.barriers) > 0
    assert {one.without_socket for one in evidence.pools} == {0}
    assert not {"tunnels-kept", "slots-lost", "pool-exhausted"} & codes(evidence)


def test_a_connect_that_was_cancelled(tmp_path: Path) -> None:
    """Requests that were cancelled as they got a place keep it in httpcore 1.0.9: no tunnel has failed there."""
    _, (evidence,) = run_flawed(tmp_path, "hasty")
    assert {(one.connections, one.without_socket, one.failed_tunnels) for one in evidence.pools} == {(3, 3, 0)}
    assert "slots-lost" in codes(evidence)
    assert not {"tunnels-kept", "pool-exhausted"} & codes(evidence)


def test_connections_in_use_are_not_lost(replay: Replay) -> None:
    """Streams that are held and abandoned have a socket each."""
    evidence = replay(sys.executable, "shared", "--end", "abandon", workload="interrupted")
    assert max(one.connections for one in evidence.pools) > 0
    assert {one.without_socket for one in evidence.pools} == {0}
