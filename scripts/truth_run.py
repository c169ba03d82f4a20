"""Runs cases of the corpus, each as `hermes-diag check` would, all in one run."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from truth_labels import Case
from truth_matrix import Said

from hermes_diag.core.plan import Cell, Plan
from hermes_diag.core.report import CheckReport
from hermes_diag.core.status import RowStatus
from hermes_diag.judge import check
from hermes_diag.judge.settings import Settings
from hermes_diag.run import lanes, payload, runner
from hermes_diag.run.interpreter import Target

_ASK = """import importlib.util, json, sys, openai

def there(name):
    if name.startswith("openai."):
        try:
            return bool(getattr(openai, name[len("openai."):])())
        except Exception:
            return False
    return importlib.util.find_spec(name) is not None

http = sys.modules[openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]
print(json.dumps([openai.__version__, http.__name__, http.__version__, sys.version.split()[0],
    [name for name in sys.argv[1:] if there(name)]]))"""


def stack(python: str, modules: Sequence[str]) -> tuple[str, str, set[str]]:
    """(openai's generation, the stack in words, those of the modules that are there) of an interpreter."""
    done = subprocess.run([python, "-c", _ASK, *modules], capture_output=True, text=True, check=True)
    openai, name, http, version, there = json.loads(done.stdout)
    return openai.partition(".")[0], f"openai {openai}, {name} {http}, Python {version}", set(there)


def fitting(cases: Sequence[Case], python: str) -> tuple[str, list[Case]]:
    """The stack in words, and the cases that can be run on it."""
    generation, words, there = stack(python, sorted({name for case in cases for name in case.needs}))
    return words, [case for case in cases if case.openai in ("", generation) and there.issuperset(case.needs)]


def run(cases: Sequence[Case], python: str) -> dict[str, Said]:
    """Check each case once. Raises CannotMeasure."""
    body = payload.load(None)
    settings = {case: Settings(factory=case.spec, faults=case.faults, expect=case.expect) for case in cases}
    plans = {case: check.make(body.info, settings[case]) for case in cases}
    clock = Clock()
    cells = tuple(cell for plan_ in plans.values() for cell in plan_.cells)
    under_way = runner.Runner(
        Plan(cells, body.info), [body.wire], lanes.interpreters(Target(python)), progress=clock.heard
    )
    if not runner.finish(under_way):
        raise KeyboardInterrupt
    seen = {one.cell: one for one in under_way.evidence()}
    found = {}
    for case, plan_ in plans.items():
        report = check.judge(plan_, [seen[cell] for cell in plan_.cells], settings[case].asked())
        found[case.full_name] = said(report, sum(map(clock.seconds, plan_.cells)))
    return found


def said(report: CheckReport, seconds: float = 0.0) -> Said:
    """A check in the words of the matrix."""

    def codes(status: RowStatus) -> tuple[str, ...]:
        return tuple(sorted({row.code or row.name for row in report.rows if row.status == status}))

    def sentences(status: RowStatus) -> tuple[tuple[str, str], ...]:
        return tuple(dict.fromkeys((row.code or row.name, row.seen) for row in report.rows if row.status == status))

    return Said(
        report.exit_code,
        codes(RowStatus.FAILED),
        codes(RowStatus.NOTED),
        sentences(RowStatus.COULD_NOT_TELL),
        round(seconds, 2),
        sentences(RowStatus.FAILED),
    )


class Clock:
    """How long each cell took, from its first record to its last."""

    def __init__(self) -> None:
        self._span: dict[Cell, tuple[float, float]] = {}

    def heard(self, cell: Cell, record: Any) -> None:
        now = time.monotonic()
        self._span[cell] = (self._span.get(cell, (now, now))[0], now)

    def seconds(self, cell: Cell) -> float:
        begun, ended = self._span.get(cell, (0.0, 0.0))
        return ended - begun
