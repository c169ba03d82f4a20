"""Evidence and reports of cells that never ran, for pictures: small ones to look into, and a very large one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hostile

from hermes_diag.core import matrix
from hermes_diag.core.evidence import Connection, Evidence, Moved, Outcome, Sample, Served
from hermes_diag.core.plan import PayloadInfo
from hermes_diag.core.report import Change, CheckReport, ComparedReport, Row, RunReport, Seen
from hermes_diag.core.report import Place as Defined
from hermes_diag.core.sockets import SocketRow
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.judge import verdicts
from hermes_diag.watch import reports
from hermes_diag.watch.records import Ended, Look, Place, Process, Watched
from hermes_diag.watch.reports import WatchReport
from hermes_diag.watch.timeline import Timeline
from hermes_diag.watch.tracker import Tracker
from hermes_diag.worker.contract import Hello, Pools, TurnDone

#: Fields whose words the code itself chooses from.
OWN_WORDS = {"severity", "outcome", "how", "workload", "audit", "reader", "abort", "loop", "closed_first"}
EVIL = "<script>alert(1)</script>\"'>&"

PAYLOAD = PayloadInfo("built-in", "built-in", "responses", 123)
STACK = Hello(3, "CPython 3.11", "2.54.0", "httpx 0.28.1", "httpcore 1.0.9", "0.16", "Linux", 80.0, 1000, 100, 600.0)
PLAN = matrix.for_factory(PAYLOAD, "./agent.py:make", workloads=("steady",), sizes=matrix.Sizes(1, 3))


def evidence(**given: Any) -> Evidence:
    """Of the first cell of PLAN, with nothing in it but what is given."""
    nothing: dict[str, Any] = dict.fromkeys(("clients", "turns", "samples", "served", "connections", "measured"), ())
    return Evidence(**{"cell": PLAN.cells[0], "stack": STACK, "outcome": Outcome("done"), **nothing, **given})


def turn(number: int, at: float, outcome: Any = "ok", session: int = 1) -> TurnDone:
    chain = ("openai.APIConnectionError", "builtins.RuntimeError") if outcome == "error" else ()
    return TurnDone(session, number, 1, outcome, 4, 20.0, 5.0, 1, chain, at=at)


def sample(at: float, turns: int, label: str, **states: int) -> Sample:
    return Sample(at, 0.0, label, turns, states, states, 0, 0, 5, 1, 1 << 20, turns)


def report() -> RunReport:
    """Three turns: the first connection is closed, the others never are; the last turn fails."""
    seen = evidence(
        turns=(turn(1, 0.2), turn(2, 0.4), turn(3, 0.6, "error")),
        samples=(
            sample(0.1, 0, "start"),
            sample(0.3, 1, "idle", TIME_WAIT=1),
            sample(0.5, 2, "idle", TIME_WAIT=1, CLOSE_WAIT=1),
            sample(0.7, 3, "idle", CLOSE_WAIT=1, ESTABLISHED=1),
        ),
        served=tuple(Served(f"1/{number}/1", number, 200, 4, True, "responses") for number in (1, 2, 3)),
        connections=(
            Connection(1, 1, 600, 900, "client", "fin", 4001, 0.15, 0.19),
            Connection(2, 1, 600, 900, "provider", "fin", 4002, 0.35, 0.45),
            Connection(3, 1, 600, 900, "client", "fin", 4003, 0.55, 0.9),
        ),
        moved=(
            Moved(0.3, {"TIME_WAIT": (4001,)}),
            Moved(0.5, {"CLOSE_WAIT": (4002,)}),
            Moved(0.7, {"ESTABLISHED": (4003,), "": (4001,)}),
        ),
        pools=(Pools(1, 1, 2, 1, 1, 0, 0, 0), Pools(2, 1, 2, 2, 0, 0, 1, 0), Pools(3, 1, 2, 2, 1, 0, 0, 0)),
        facts={
            "defined": {"file": "agent.py", "line": 9},
            "opened": {"sockets": [("agent.py:14 in ask", 2)], "ports": {"lib/agent.py:14 in ask": [4002, 4003]}},
        },
    )
    judged = verdicts.report(PLAN, [seen])
    found = replace(judged.findings[0], turns=("1/2/1", "1/3/1"))
    return replace(judged, findings=(found, *judged.findings[1:]))


def large(turns: int = 10_000, looks: int = 100_000) -> RunReport:
    """One cell with so many turns and looks: each turn has a connection, which stays in CLOSE_WAIT."""
    end = looks * 0.01
    at = [end * number / turns for number in range(1, turns + 1)]
    ports = [10_000 + number for number in range(turns)]
    seen = evidence(
        cell=replace(PLAN.cells[0], turns=turns),
        turns=tuple(turn(number + 1, when, "error" if number % 97 == 0 else "ok") for number, when in enumerate(at)),
        samples=tuple(
            sample(
                number * 0.01,
                number // 10,
                "idle" if number % 1000 == 0 else "tick",
                CLOSE_WAIT=number // 10,
                ESTABLISHED=1,
            )
            for number in range(1, looks + 1)
        ),
        served=tuple(Served(f"1/{number + 1}/1", number + 1, 200, 4, True, "responses") for number in range(turns)),
        connections=tuple(
            Connection(number + 1, 1, 600, 900, "provider", "fin", port, when, when + 0.05)
            for number, (port, when) in enumerate(zip(ports, at, strict=True))
        ),
        moved=tuple(
            moved
            for port, when in zip(ports, at, strict=True)
            for moved in (Moved(when + 0.01, {"ESTABLISHED": (port,)}), Moved(when + 0.06, {"CLOSE_WAIT": (port,)}))
        ),
    )
    return verdicts.report(PLAN, [seen])


def check() -> CheckReport:
    """A promise that is kept, and one that is broken."""
    rows = (
        Row("promise", "good-one", "good-one", "asked", RowStatus.PASSED, "seen"),
        Row("promise", "bad-one", "bad-one", "asked", RowStatus.FAILED, "seen", "it matters", "change it"),
    )
    return CheckReport(
        command="check",
        subject="./a.py:make",
        status=Status.FAILING,
        verdict="1 problem",
        stack=None,
        rows=rows,
        defined=Defined("a.py", 3),
        settings=(("fail_on", "x", "pyproject.toml"),),
        notes=("a note",),
    )


def compared() -> ComparedReport:
    """Two captures: one thing got worse, one is fixed, one is the same."""
    good, bad = Seen(RowStatus.PASSED, "", "24 of 24 turns ended well"), Seen(RowStatus.FAILED, "x", "3 of 24 failed")
    changes = (
        Change("cell", "a", "worse", (good, bad)),
        Change("cell", "b", "fixed", (bad, good)),
        Change("cell", "c", "same", (good, good)),
    )
    return ComparedReport(
        command="report",
        subject="after against before",
        status=Status.FAILING,
        verdict="after against before: 1 worse, 1 fixed, 1 same",
        stack=None,
        names=("before", "after"),
        verdicts=("no problem", "1 problem"),
        changes=changes,
    )


def watch() -> WatchReport:
    """A minute in which a socket comes each second, and is left by its peer; two were there before, and stay."""
    watched = Watched(7, "gateway", 0.0, 0.0, 1.0, "sock_diag", "as asked")
    timeline, tracker = Timeline(watched, drawn=True), Tracker(told=500)
    rows: list[SocketRow] = []
    held = [SocketRow("ESTABLISHED", ("10.0.0.1", 3000 + n), ("192.0.2.8", 443), 7, n, 900 + n) for n in (1, 2)]
    for at in range(60):
        rows = [row._replace(state="CLOSE_WAIT") for row in rows]
        rows.append(SocketRow("ESTABLISHED", ("10.0.0.1", 4000 + at), ("192.0.2.7", 443), 7, at, 9 + at))
        process = Process(7, "gateway", 0.0, 3, 1, 10 + at, 1024)
        look = Look(0.0, (process,), (*held, *rows), (), (), frozenset(), (), "sock_diag", "as asked")
        timeline.add(tracker.tick(look, float(at), 0.0))
    timeline.places.append(Place("CLOSE_WAIT", "agent.py:14 in ask", 59, 59))
    return reports.of_watch(timeline, timeline.summary(Ended("done")))


def poisoned(thing: Any) -> Any:
    """The same with markup in every text that is not one of the code's own words."""
    return hostile.planted(thing, text=EVIL, own=OWN_WORDS)
