"""The workload `recycled`: descriptor numbers of streams that are given up, and every byte of who gets them next."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cells import ran
from conftest import Cli
from test_hermes_agent import NEWEST, PYTHONS, needs_hermes, needs_releases

from hermes_diag.core import matrix
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.matrix import Sizes
from hermes_diag.core.plan import FRESH, Cell, Conditions
from hermes_diag.core.report import CellReport
from hermes_diag.hermes import cells as hermes_cells
from hermes_diag.judge import causes, check, settings, verdicts
from hermes_diag.reporters.matrix import numbers
from hermes_diag.run import payload
from hermes_diag.worker import bystanders
from hermes_diag.worker.bystanders import MAGIC, TEXT, difference

CLOSERS = Path(__file__).parent / "closers.py"
#: One turn for each kind of bystander.
TURNS = 4
RECORD = bytes([23, 3, 3, 0, 19])
FOREIGN = RECORD + b"\x9a" * 19


def cell_of(name: str, abort: Any = "close", turns: int = TURNS) -> Cell:
    sizes = Sizes(turns=turns, conditions=Conditions(abort=abort))
    plan = matrix.for_factory(payload.load(None).info, f"{CLOSERS}:{name}", workloads=("recycled",), sizes=sizes)
    (cell,) = (cell for cell in plan.cells if cell.workload != FRESH)
    return cell


@pytest.fixture(scope="module")
def judged() -> dict[str, tuple[CellReport, Evidence]]:
    """Each closer of which something is known, run once; all of them side by side."""
    cells = {
        "stock": cell_of("stock"),
        "closes_the_number": cell_of("closes_the_number"),
        "shut down": cell_of("stock", "shutdown"),
        "wakes_the_reader": cell_of("wakes_the_reader"),
        "turn_that_wakes": cell_of("turn_that_wakes", "", turns=2),
        "asynchronous": cell_of("asynchronous", turns=1),
    }
    seen = ran(cells.values())
    return {name: (verdicts.cell(seen[cell]), seen[cell]) for name, cell in cells.items()}


def test_a_wrong_closer_is_found_and_named(judged: dict[str, tuple[CellReport, Evidence]]) -> None:
    """Each kind of bystander gets the stream's number while OpenSSL still reads from it, and is damaged."""
    report, evidence = judged["stock"]
    assert report.word == "corrupts", report.missing
    findings = {finding.code: finding for finding in report.findings}
    harm = findings["descriptor-recycled"]
    assert harm.turns == ("1/1/1", "1/2/1", "1/3/1", "1/4/1")
    for kind in bystanders.KINDS:
        assert f"{kind.kind} x1" in harm.summary
    assert harm.numbers == {"damaged": TURNS, "foreign_bytes": 24 * TURNS, "lost_bytes": 10}
    assert findings["descriptor-freed-early"].numbers == {"streams": TURNS, "closed": TURNS, "came_again": TURNS}
    damaged = {one["kind"]: one for one in evidence.facts["recycled"]["harm"]}
    assert damaged[bystanders.Database.kind]["error"] == "file is not a database"  # bytes 5 to 28, as in #29507
    assert {tuple(one["record"]) for one in damaged.values()} == {(23, 3)}


def test_a_descriptor_that_is_closed_past_its_socket(judged: dict[str, tuple[CellReport, Evidence]]) -> None:
    """Seen by the number that came too early: no socket object was closed. The reader then closes it once more."""
    report, evidence = judged["closes_the_number"]
    assert report.word == "corrupts", report.missing
    assert evidence.facts["recycled"]["closed_early"] == 0
    (early,) = (finding for finding in report.findings if finding.code == "descriptor-freed-early")
    assert "past the socket objects" in early.summary


@pytest.mark.parametrize("closer", ["shut down", "wakes_the_reader", "turn_that_wakes"])
def test_a_right_closer_is_clean(judged: dict[str, tuple[CellReport, Evidence]], closer: str) -> None:
    """The stream is shut down and its reader closes: the number comes again each time, and never too early."""
    report, evidence = judged[closer]
    assert report.word == "ok", (report.missing, report.findings)
    seen = evidence.facts["recycled"]
    assert seen["turns"] == seen["numbers"] == seen["again"] == evidence.cell.turns
    assert (seen["early"], seen["closed_early"], seen["harm"]) == (0, 0, [])
    assert not any(finding.code.startswith("descriptor") for finding in report.findings)
    kinds = ", ".join(f"{kind.kind} x1" for kind in bystanders.KINDS[: evidence.cell.turns])
    assert f"{seen['again']} bystanders with the number of a stream over TLS compared: {kinds}" in list(numbers(report))


def test_where_nothing_came_again_nothing_is_proved(judged: dict[str, tuple[CellReport, Evidence]]) -> None:
    """An async client reads without a descriptor of its own; and a number that stays free damages nobody."""
    report, _ = judged["asynchronous"]
    assert report.word == "no result"
    assert "no socket was seen that is read over TLS" in report.missing
    _, evidence = judged["shut down"]
    unproved = replace(evidence, facts={"recycled": {**evidence.facts["recycled"], "again": 0}})
    assert "not one came again" in causes.untested(unproved)
    assert verdicts.cell(unproved).word == "no result"


def test_bystanders_are_gone_afterwards(judged: dict[str, tuple[CellReport, Evidence]]) -> None:
    """The openers, what they opened and the folder leave nothing in the worker, nor on disk."""
    for closer in ("stock", "shut down", "wakes_the_reader"):
        _, evidence = judged[closer]
        idle = evidence.idle()
        assert len(idle) == TURNS
        assert idle[0].fds == idle[-1].fds, closer
        assert idle[0].threads == idle[-1].threads, closer


def test_nothing_that_was_read_or_written_is_told(judged: dict[str, tuple[CellReport, Evidence]]) -> None:
    """Of what was damaged there are counts and names of ours only."""
    for _, evidence in judged.values():
        for one in evidence.facts["recycled"]["harm"]:
            assert one.keys() == {"foreign", "lost", "record", "error", "kind", "number", "turn"}


@pytest.mark.parametrize(
    ("got", "expected", "foreign", "lost", "record"),
    [
        (TEXT, TEXT, 0, 0, None),
        (TEXT[:5] + FOREIGN + TEXT[29:], TEXT, 24, 0, [23, 3]),
        (TEXT + FOREIGN, TEXT, 24, 0, [23, 3]),
        (TEXT[5:], TEXT, 0, 5, None),
        (TEXT[5:] + FOREIGN, TEXT, 24, 5, [23, 3]),
        (TEXT[:7] + b"??" + TEXT[9:], TEXT, 2, 0, None),
        (TEXT + b"?", TEXT, 1, 0, None),
        (b"", TEXT, 0, len(TEXT), None),
    ],
    ids=["same", "over", "added", "taken", "taken and added", "two bytes", "one more", "nothing"],
)
def test_the_difference_of_bytes(got: bytes, expected: bytes, foreign: int, lost: int, record: Any) -> None:
    assert difference(got, expected) == {"foreign": foreign, "lost": lost, "record": record}


def test_the_header_of_a_database() -> None:
    """Of a database only the magic is known, and a record goes on behind it."""
    assert difference(MAGIC + b"\x10\0\1\1\0@  ", MAGIC, upto=len(MAGIC))["foreign"] == 0
    assert difference(MAGIC[:5] + FOREIGN[:19], MAGIC, upto=len(MAGIC)) == {
        "foreign": 24,
        "lost": 0,
        "record": [23, 3],
    }


def test_it_runs_only_when_asked_for(cli: Cli) -> None:
    """No default run has it, of no command; `check` does not take it."""
    body = payload.load(None).info
    assert not any(cell.workload == "recycled" for cell in matrix.make(body).cells)
    assert not any(cell.workload == "recycled" for cell in check.make(body, settings.Settings()).cells)
    assert not any(cell.workload == "recycled" for cell in hermes_cells.make((), Sizes(), (), mutate=False))
    (cell,) = hermes_cells.make(("recycled",), Sizes(), (), mutate=False)
    assert (cell.conditions.tls, cell.conditions.bystanders) == (True, True)
    for arguments in (
        ("check", "x.py:y", "--workload", "recycled"),
        ("replay", f"{CLOSERS}:stock", "--set", "abort=close"),
        ("hermes", "--python", "x", "--workload", "recycled", "--mutate"),
        ("live", "http://127.0.0.1:9/v1", "--workload", "recycled"),
    ):
        assert cli(*arguments).returncode == 2, arguments


@needs_releases
@pytest.mark.timeout(120)
@pytest.mark.parametrize("python", PYTHONS, ids=lambda python: Path(python).parent.parent.name)
def test_what_a_release_of_hermes_does(python: str) -> None:
    """Up to 0.14.0 another thread closes what is read (#29507); since then none does. Its user gives the turn up, which
    is quick; scripts/truth recycled --hermes has the watchdog, too."""
    (cell,) = hermes_cells.make(("recycled",), Sizes(turns=1), (), mutate=False)
    (evidence,) = ran([cell], python).values()
    seen, report = evidence.facts["recycled"], verdicts.cell(evidence)
    assert evidence.stack is not None
    assert seen["again"] == seen["numbers"] == 1
    codes = {finding.code for finding in report.findings}
    old = tuple(map(int, evidence.stack.hermes.split("."))) < (0, 15)
    assert ("descriptor-recycled" in codes, "descriptor-freed-early" in codes) == (old, old)
    assert "turns-failed" not in codes


@needs_hermes
def test_hermes_over_tls(cli: Cli) -> None:
    """--tls: it trusts the provider's authority, and complete turns leave what they leave without TLS: nothing."""
    done = cli("hermes", "--python", NEWEST, "--tls", "--workload", "steady", "--sessions", 1, "--turns", 4, "--json")
    assert done.returncode == 0, done.stderr
    (cell,) = json.loads(done.stdout)["cells"]
    assert (cell["word"], cell["ok"]) == ("ok", 4)
