"""Cells of the real Hermes Agent, counted by us, by the provider and by `ss`; and what is known of each release.

Imported by the tests, and by `scripts/truth hermes`, which runs them again and again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from typing import ClassVar
from unittest import mock

import pytest
from cells import ran

from hermes_diag.core import matrix
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import Cell, Plan
from hermes_diag.core.report import CellReport, Left
from hermes_diag.core.sockets import SocketRow
from hermes_diag.hermes import cells as hermes_cells
from hermes_diag.judge import verdicts
from hermes_diag.run import payload, runner
from hermes_diag.run.cell_run import CellRun

RELEASES = ("0.13.0", "0.14.0", "0.15.2", "0.16.0", "0.17.0", "0.18.2", "0.19.0")
#: They close the descriptor under the thread that reads.
CLOSING = ("0.13.0", "0.14.0")
#: They shut the socket down, and its reader sends the request again.
REPEATING = ("0.15.2", "0.16.0", "0.17.0")
#: What `as_known` knows of.
CELLS = hermes_cells.make((), matrix.Sizes(turns=4), (), mutate=False)


class Watched(CellRun):
    """A session that also asks `ss`, /proc and the provider at each barrier, while the worker stands still."""

    counted: ClassVar[list[tuple[str, str, Counter[str], int, int, int, int]]] = []

    def _sample(self, rows: list[SocketRow], late: float, label: str, turns: int) -> None:
        if label != "tick":
            host, port = self._provider.address
            states, owned = ss(f"{host}:{port}", self._pid)
            fds, threads = (len(os.listdir(f"/proc/{self._pid}/{what}")) for what in ("fd", "task"))
            held = len(self._provider.open)
            Watched.counted.append((self.cell.name, label, states, owned, fds, threads, held))
        super()._sample(rows, late, label, turns)


def ss(peer: str, pid: int) -> tuple[Counter[str], int]:
    """Sockets towards that endpoint by state, and how many ESTABLISHED ones that process owns."""
    command = ["ss", "-Htanp", "dst", peer]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    states = Counter(line.split()[0].replace("ESTAB", "ESTABLISHED").replace("-", "_") for line in lines)
    return states, sum(line.startswith("ESTAB") and f"pid={pid}," in line for line in lines)


Found = dict[str, tuple[CellReport, Evidence]]


def counted(python: str, cells: tuple[Cell, ...]) -> Found:
    """Run the cells, check every barrier against `ss`, /proc and the provider's records; reports by name."""
    if not shutil.which("ss"):
        pytest.skip("compares with ss (Debian: iproute2)")
    Watched.counted = []
    body = payload.load(None)
    with mock.patch.object(runner, "CellRun", Watched):
        evidence = tuple(ran(cells, python).values())
    report = verdicts.report(Plan(cells, body.info), evidence)
    for one in evidence:
        assert one.outcome.how == "done", one.outcome
        agree(one)
    return {cell.cell.name: (cell, one) for cell, one in zip(report.cells, evidence, strict=True)}


def agree(evidence: Evidence) -> None:
    """What was sampled at each barrier is what `ss` and /proc said then, and what the provider has on record."""
    counted = [one for one in Watched.counted if one[0] == evidence.cell.name]
    if evidence.repeated:  # a cell that stood still was run again: the last time counts
        counted = counted[-len(evidence.barriers) :]
    assert len(counted) == len(evidence.barriers) > 0
    for sample, (_, label, states, owned, fds, threads, held) in zip(evidence.barriers, counted, strict=True):
        assert sample.label == label
        for state in ("ESTABLISHED", "CLOSE_WAIT"):
            assert sample.states.get(state, 0) == states[state]
        assert sample.states.get("ESTABLISHED", 0) == held
        assert sample.owned.get("ESTABLISHED", 0) == owned
        assert (sample.fds, sample.threads) == (fds, threads)
    posts = [one for one in evidence.served if one.api]
    assert evidence.barriers[-1].posts == len(posts)
    assert len(evidence.connections) == len({one.connection for one in evidence.served})


def as_known(release: str, found: Found) -> None:
    """Complete and overlapping turns leave nothing. A stream given up, by its user or by the watchdog, does:

    up to 0.14.0 its descriptor is closed under the thread that reads, and the socket stays, without an owner; then
    its thread is woken, takes the cut for a fault and sends the request again; since 0.18.2 the socket is looked for
    where it is not (the transports that are mounted have pools of their own), and nobody is woken.
    """
    for name, turns in (("hermes/steady", 8), ("hermes/overlapping", 12)):
        cell, evidence = found[name]
        assert (cell.word, cell.ok, cell.errors) == ("ok", turns, {})
        assert cell.left == Left(turns, 0, 0, 0, 0, 0, 0)
        assert evidence.stack is not None
        assert evidence.stack.hermes == release

    cell, evidence = found["hermes/interrupted"]
    assert (cell.interrupted, cell.errors) == (8, {})
    assert cell.left is not None
    kept = cell.left.established
    assert kept is not None
    again = kept if release in REPEATING else 0
    ownerless, fds = (kept, 0) if release in CLOSING else (0, kept)
    assert cell.left == Left(8 + again, 0, kept, ownerless, 0, kept, fds)
    # One for each turn; of those that are sent again as many as have lost a race: whether Hermes forgets the interrupt
    # before the thread has woken.
    assert kept in (range(9) if release in REPEATING else (8,))
    # Once the provider spoke again, the threads read to the end and left.
    assert cell.left_at_end == Left(8 + again, 0, 0, 0, 0, 0, 0)
    codes = {finding.code for finding in cell.findings}
    assert ("posts-unwanted" in codes) == bool(again)

    cell, _ = found["hermes/aborted"]
    again = 4 if release in REPEATING else 0
    ownerless, fds = (4, 0) if release in CLOSING else (0, 4)
    assert (cell.word, cell.errors) == ("leaks", {"TimeoutError": 4})
    assert cell.left == cell.left_at_end == Left(4 + again, 0, 4, ownerless, 0, 4, fds)
    codes = {finding.code for finding in cell.findings}
    assert {"established-grows", "threads-grow"} <= codes
    assert ("ownerless-grows" in codes) == (release in CLOSING)
    assert "turns-failed" not in codes
    assert ("posts-unwanted" in codes) == bool(again)
