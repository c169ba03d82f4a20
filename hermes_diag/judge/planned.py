"""Whether what a capture says of a run fits together, so that rules and reporters may rely on it. Pure.

That each field is of its type and within bounds is known already (core/capture.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from hermes_diag.core.conditions import OPERATORS
from hermes_diag.core.errors import UsageError
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import AUDIT, FACTORY, Cell, Plan
from hermes_diag.core.text import quoted
from hermes_diag.judge import expectations, scenarios
from hermes_diag.judge.audit import PARTS
from hermes_diag.judge.settings import METRICS, Asked

#: Cells of a plan, sessions and turns of a cell, and attempts of all cells, at most.
CELLS, SIZE, ATTEMPTS = 20_000, 1_000_000, 100_000_000


def wrong(plan: Plan, before: Sequence[Cell], asked: Asked | None) -> str:
    """Why no run can have been like this, "" when one can. before: the cells of a baseline."""
    return next(_wrong(plan, before, asked), "")


def _wrong(plan: Plan, before: Sequence[Cell], asked: Asked | None) -> Iterator[str]:
    if len(plan.cells) + len(before) > CELLS:
        yield f"more than {CELLS:,} cells"
    for cells in (plan.cells, before):
        if twice := _twice(cell.name for cell in cells):
            yield f"two cells have the name {quoted(twice)}"
        for cell in cells:
            if why := _of_cell(cell):
                yield f"the cell {quoted(cell.name)} {why}"
    yield from _of_audits(plan)
    if len({bool(cell.scenario) for cell in plan.cells}) > 1:
        yield "some cells are of scenarios, and some are not"
    yield from _of_payloads(plan)
    try:
        expectations.parse(plan.expect)
    except UsageError as exc:
        yield exc.whole
    for condition in asked.fail_on if asked else ():
        if condition.name not in METRICS or condition.op not in OPERATORS:
            yield f"a check has no condition {quoted(condition.text)}"


def _twice(names: Iterable[str]) -> str:
    """A name that is there more than once, "" if none is."""
    return next((name for name, count in Counter(names).items() if count > 1), "")


def _of_cell(cell: Cell) -> str:
    if (cell.workload == AUDIT) != bool(cell.audit):
        return "is an audit and does not say which part of it, or the other way round"
    if max(cell.sessions, cell.turns) > SIZE or cell.sessions * cell.turns * (1 + cell.retries) > ATTEMPTS:
        return f"has {cell.sessions:,} sessions and {cell.turns:,} turns"
    if cell.timeout <= 0 or cell.pool_timeout <= 0:
        return "has a timeout that is not above 0"
    if cell.strategy == FACTORY and not cell.factory:
        return "does not say which factory it has put to the test"
    side = cell.scenario.rpartition("/")[2]
    return f"is of the side {quoted(side)} of a scenario" if cell.scenario and side not in scenarios.SIDES else ""


def _of_audits(plan: Plan) -> Iterator[str]:
    parts = {cell.audit for cell in plan.cells if cell.audit}
    if parts and (lacking := PARTS.keys() - parts):
        yield f"an audit without its part {min(lacking)}"


def _of_payloads(plan: Plan) -> Iterator[str]:
    sources = [one.source for one in plan.payloads]
    if twice := _twice(sources):
        yield f"two payloads have the name {quoted(twice)}"
    for cell in plan.cells:
        if cell.payload not in ("", *sources):
            yield f"the cell {quoted(cell.name)} has a payload that its plan does not know"


def lacks(evidence: Evidence) -> str:
    """What must be there of a cell that came to its end, and is not; "" for nothing."""
    cell, facts = evidence.cell, evidence.facts
    if cell.audit != "contract" or evidence.outcome.how != "done":
        return ""
    if "subject" not in facts:
        return f"{cell.name} is done, and does not say what was audited"
    if facts["subject"]["kind"] != "turn" and "first_turn" not in facts:
        return f"{cell.name} is done, and does not say how its first turn ended"
    return ""
