"""What a turn over a WebSocket leaves behind is counted as over HTTP: sockets, threads and tasks, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cells import ran

from hermes_diag.cli.options import load, tuning
from hermes_diag.core import matrix
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.report import CellReport
from hermes_diag.judge import verdicts
from hermes_diag.run import payload

FILE = Path(__file__).with_name("websocket_turns.py")
OPEN = ("idle-close=never",)
LONG = ("long-stream=300",)
#: What is run: a turn of the file, --set, and a fault.
CASES: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "plain": ("plain", OPEN, ()),
    "two turns": ("two_turns", (), ()),
    "generator": ("generator", OPEN, LONG),
    "coroutine": ("coroutine", OPEN, ()),
    "left open": ("leaves_open", OPEN, ()),
    "left open, closed by the provider": ("leaves_open", (), ()),
    "left half read": ("reads_half", (), LONG),
    "coroutine, left open": ("coroutine_leaves_open", OPEN, ()),
}


def test_what_is_left_behind_is_found() -> None:
    """Turns that close are clean; one that does not is found: its socket, and the thread that reads it."""
    reports, evidence = _run()
    found = {
        name: {one.code for one in report.findings if one.severity == "problem"} for name, report in reports.items()
    }
    clean: set[str] = set()
    assert found == {
        "plain": clean,
        "two turns": clean,
        "generator": clean,
        "coroutine": clean,
        # The library's thread closes its socket when the provider does, also for a client that nobody closes.
        "left open, closed by the provider": clean,
        "left open": {"established-grows", "threads-grow", "descriptors-grow"},
        # The thread reads no more while its queue is full: it does not see the provider's FIN.
        "left half read": {"close-wait-grows", "threads-grow", "descriptors-grow"},
        "coroutine, left open": {"established-grows"},
    }
    for name, seen in evidence.items():
        assert {turn.outcome for turn in seen.turns} == {"ok"}, name
    assert evidence["two turns"].samples[-1].posts == 2 * len(evidence["two turns"].turns)


def _run() -> tuple[dict[str, CellReport], dict[str, Evidence]]:
    body = payload.load(None)
    cells = {}
    for case, (name, given, fault) in CASES.items():
        sizes = load.sizes(1, 6, 0, None, tuning.parse(given, (*tuning.OF_RUNS, *tuning.OF_SUBJECTS)))
        plan = matrix.for_factory(body.info, f"{FILE}:{name}", (), ("steady",), sizes, load.faults(fault, tls=False))
        cells[case] = plan.cells[0]
    evidence = ran(cells.values())
    return {case: verdicts.cell(evidence[cell]) for case, cell in cells.items()}, {
        case: evidence[cell] for case, cell in cells.items()
    }
