"""Cells run for real, for tests that judge their evidence."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import Cell, Plan
from hermes_diag.run import lanes, payload, runner
from hermes_diag.run.interpreter import Target


def ran(cells: Iterable[Cell], python: str = sys.executable) -> dict[Cell, Evidence]:
    """The evidence of each cell, all in one run, with the default payload; a cell that is given twice runs once."""
    body, distinct = payload.load(None), tuple(dict.fromkeys(cells))
    under_way = runner.Runner(Plan(distinct, body.info), [body.wire], lanes.interpreters(Target(python)))
    assert runner.finish(under_way)
    return {one.cell: one for one in under_way.evidence()}
