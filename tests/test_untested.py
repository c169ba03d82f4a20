"""A fault that has acted on nothing says nothing of the client; one that has is judged. Real clients in the loop."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from cells import ran
from conftest import GOLDEN, Cli
from provider_tools import OPENAI_3

from hermes_diag.core import matrix
from hermes_diag.core.plan import Conditions
from hermes_diag.core.report import CellReport
from hermes_diag.judge import verdicts
from hermes_diag.run import capture, payload
from hermes_diag.worker.contract import Measured

HERE = Path(__file__).parent
CLOSES, KEEPS, HTTP2 = "factories.py:right", "factories.py:RightPool", "http2_factories.py:right"
#: Conditions of a cell.
PLAIN, TLS, PROXY = Conditions(), Conditions(tls=True), Conditions(tls=True, proxy=True)
#: A factory, a fault, conditions, and whether the fault acts.
CASES: tuple[tuple[str, str, Conditions, bool], ...] = (
    (CLOSES, "http-500:every=2", PLAIN, True),
    (CLOSES, "http-500:request=500", PLAIN, False),
    (CLOSES, "gzip", PLAIN, True),
    (CLOSES, "gzip:request=500", PLAIN, False),
    (CLOSES, "cut-after=60s", PLAIN, False),
    (CLOSES, "ws-close", PLAIN, False),
    (CLOSES, "ws-refuse", PLAIN, False),
    (CLOSES, "rate-limit=600", PLAIN, False),
    (CLOSES, "rate-limit=600:burst=1", PLAIN, True),
    (KEEPS, "idle-close=20ms", PLAIN, True),
    (KEEPS, "idle-close=20ms:connection=99", PLAIN, False),
    (KEEPS, "ws-idle-close=20ms", PLAIN, False),
    (CLOSES, "tls-close-notify", TLS, True),
    (CLOSES, "tls-expired:connection=99", TLS, False),
    (CLOSES, "proxy-cut-after=60", PROXY, False),
    (CLOSES, "proxy-cut-bytes=900000000", PROXY, False),
    (CLOSES, "proxy-cut-bytes=100", PROXY, True),
    (CLOSES, "proxy-refuse:connection=99", PROXY, False),
    (CLOSES, "h2-window", TLS, False),
    (CLOSES, "h2-goaway", TLS, False),
)
#: The same for a client that speaks HTTP/2.
OF_HTTP2 = (
    (HTTP2, "h2-window=100", TLS, True),
    (HTTP2, "h2-goaway", TLS, True),
    (HTTP2, "h2-ping-unanswered", TLS, True),
    (HTTP2, "h2-goaway:request=99", TLS, False),
)
NEED_NOT_ACT = ((CLOSES, "connection-limit=9", PLAIN), (CLOSES, "idle-close=20ms", PLAIN))


def test_a_fault_that_acted_on_nothing_is_no_result() -> None:
    """Each way to apply: a request, an answer's shape, a connection, an idle one, a quota, a tunnel."""
    reports = _run(sys.executable, [case[:3] for case in CASES])
    for (_, fault, _, acts), report in zip(CASES, reports, strict=True):
        assert (report.word != "no result") == acts, fault
        assert report.missing.startswith(f"the fault {fault} acted on nothing: 8 requests on ") != acts, fault


@pytest.mark.skipif(not OPENAI_3, reason="no Python with openai 3")
def test_over_http2() -> None:
    reports = _run(OPENAI_3, [case[:3] for case in OF_HTTP2])
    assert [report.word != "no result" for report in reports] == [acts for *_, acts in OF_HTTP2]


def test_what_need_not_act() -> None:
    """A limit that is in force all the time, and a fault of idle connections for a client that leaves none idle."""
    assert [report.word for report in _run(sys.executable, NEED_NOT_ACT)] == ["ok", "ok"]


def test_a_problem_is_a_result_whatever_else_was_not_tried() -> None:
    (evidence,) = capture.read(GOLDEN / "close-wait-grows.fires.jsonl")[1]
    unmet = replace(evidence, measured=(*evidence.measured, Measured("fault_acted", 0.0, "times")))
    assert verdicts.cell(unmet).word == verdicts.cell(evidence).word == "leaks"


def test_check_says_so(cli: Cli) -> None:
    """The workload passes, and passes not under a fault that it did not meet."""
    fault = ("--fault", "http-500:request=500")
    done = cli("check", f"{HERE / CLOSES}", "--workload", "steady", *fault, COLUMNS="300")
    assert done.returncode == 3, done.stderr
    assert "could not tell steady/http-500:request=500: the fault http-500:request=500 acted on nothing" in done.stdout


def _run(python: str, cases: Iterable[tuple[str, str, Conditions]]) -> list[CellReport]:
    """Two sessions of four turns for each case."""
    body = payload.load(None)
    cells = []
    for factory, fault, conditions in cases:
        sizes = matrix.Sizes(2, 4, conditions=conditions)
        made = matrix.for_factory(body.info, str(HERE / factory), (), ("steady",), sizes, (fault,))
        cells.append(made.cells[0])
    evidence = ran(cells, python)
    return [verdicts.cell(evidence[cell]) for cell in cells]
