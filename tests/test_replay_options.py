"""What `replay --set` changes around a user's own turn: threads, a CONNECT proxy, a cancellation while it connects."""

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

FILE = Path(__file__).with_name("turns.py")
FAILING = "tls-reset-handshake:every=2"
#: What is run: a turn of turns.py, its workload, --set, and a fault.
CASES: Mapping[str, tuple[str, str, tuple[str, ...], tuple[str, ...]]] = {
    "threads": ("three_at_once", "steady", ("threads=on",), ()),
    "no threads": ("three_at_once", "steady", (), ()),
    "proxy": ("plain", "steady", ("proxy=on",), ()),
    "past the proxy": ("past_the_proxy", "steady", ("proxy=on",), ()),
    "failing tunnel": ("plain", "steady", ("proxy=on",), (FAILING,)),
    "failing tunnel, kept": ("keeps_what_has_failed", "steady", ("proxy=on",), (FAILING,)),
    "connecting": ("cancelled_in_peace", "interrupted", ("after=0",), ()),
    "connecting, kept": ("leaks_when_cancelled_connecting", "interrupted", ("after=0",), ()),
    "not connecting, kept": ("leaks_when_cancelled_connecting", "steady", (), ()),
}


def test_what_each_of_them_changes() -> None:
    """Each is seen in what a turn does, and leads to a finding where the turn leaves something behind because of it."""
    reports, evidence = _run()
    found = {
        name: {one.code for one in report.findings if one.severity == "problem"} for name, report in reports.items()
    }
    assert found == {
        "threads": set(),
        "no threads": {"turns-failed"},
        "proxy": set(),
        "past the proxy": {"proxy-bypassed"},
        "failing tunnel": set(),
        "failing tunnel, kept": {"turns-failed", "established-grows"},
        "connecting": set(),
        "connecting, kept": {"close-wait-grows"},
        "not connecting, kept": set(),
    }
    assert reports["past the proxy"].word == "bypasses"
    tunnels = {name: seen.through_proxy for name, seen in evidence.items() if seen.through_proxy is not None}
    assert tunnels.pop("past the proxy") == 0
    assert min(tunnels.values()) >= 18
    assert set(tunnels) == {"proxy", "failing tunnel", "failing tunnel, kept"}
    assert tunnels["failing tunnel"] > tunnels["proxy"]  # the SDK's own retries
    assert {turn.outcome for turn in evidence["connecting"].turns} == {"interrupted"}


def _run() -> tuple[dict[str, CellReport], dict[str, Evidence]]:
    body = payload.load(None)
    cells = {}
    for case, (name, workload, given, fault) in CASES.items():
        tuned = tuning.parse(given, (*tuning.OF_RUNS, *tuning.OF_SUBJECTS))
        sizes = load.sizes(3 if workload == "steady" else 1, 6, 0, None, tuned)
        faults = load.faults(fault, tls=sizes.conditions.tls)
        plan = matrix.for_factory(body.info, f"{FILE}:{name}", (), (workload,), sizes, faults)
        cells[case] = plan.cells[0]
    evidence = ran(cells.values())
    return {case: verdicts.cell(evidence[cell]) for case, cell in cells.items()}, {
        c: evidence[x] for c, x in cells.items()
    }
