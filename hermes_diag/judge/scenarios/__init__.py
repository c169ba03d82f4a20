"""Scenarios: one file each; a client that shows an upstream report's symptom, and one that does not. Pure.

A scenario module has a docstring whose first line is its line in the catalogue, REFERENCE (the upstream
report), BAD and GOOD (what their cells have other than `_COMMON`; also a fault and Conditions), and
`shows(evidence) -> str`: what the symptom looks like in that evidence, "" when it does not show.
NOT_ON names an SDK generation on which the bad client does not show it, with WHY_NOT.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Sequence
from functools import cache
from types import ModuleType
from typing import Any

from hermes_diag.core import units
from hermes_diag.core.errors import UsageError
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import Cell, PayloadInfo, Plan
from hermes_diag.core.report import Finding, Row, Scenario, ScenariosReport
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.core.text import did_you_mean

_COMMON: dict[str, Any] = {
    "strategy": "fixed",
    "end": "close",
    "workload": "steady",
    "sessions": 1,
    "turns": 6,
    "scope": "session",
    "retries": 0,
    "timeout": 10.0,  # so long that no busy machine runs into it; a scenario that waits for one sets its own
    "pool_timeout": 1.0,
    "idle_close": 0.0,
    "seed": 0,
}
SIDES = ("bad", "good")


@cache
def catalogue() -> dict[str, ModuleType]:
    """Every scenario by its name (the file's, with dashes)."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name.replace("_", "-"): importlib.import_module(f"{__name__}.{name}") for name in names}


def summary(name: str) -> str:
    """A scenario's line."""
    return (catalogue()[name].__doc__ or "").partition("\n")[0].rstrip(".")


def choose(asked: Iterable[str]) -> list[str]:
    """The names asked for; without any, all. Raises UsageError."""
    names = list(dict.fromkeys(asked))
    for name in names:
        if name not in catalogue():
            raise UsageError(
                f"no scenario {name!r}", did_you_mean(name, catalogue(), "`hermes-diag scenarios list` shows all")
            )
    return names or list(catalogue())


def plan(payload: PayloadInfo, names: Sequence[str]) -> Plan:
    """Two cells for each scenario."""
    return Plan(tuple(cell(name, side) for name in names for side in SIDES), payload)


def cell(name: str, side: str) -> Cell:
    """The cell of one side of a scenario."""
    own = getattr(catalogue()[name], side.upper())
    return Cell(**{**_COMMON, **own, "scenario": f"{name}/{side}"})


def judge(evidence: Sequence[Evidence], interrupted: bool = False) -> ScenariosReport:
    """What became of each scenario, in the order of its cells. Raises UsageError for a scenario that there is
    not, or that lacks a side: such a capture is of another release, or was changed."""
    by_cell = {one.cell.scenario: one for one in evidence if one.cell.scenario}
    names = dict.fromkeys(name.rpartition("/")[0] for name in by_cell)
    for name in names:
        if name not in catalogue():
            raise UsageError(f"no scenario {name!r}", "use the release that wrote the capture, or run again")
        lacking = [side for side in SIDES if f"{name}/{side}" not in by_cell]
        if lacking:
            raise UsageError(f"scenario {name} has no {lacking[0]} client", "the file was changed; run again")
    found = tuple(_judge(name, *(by_cell[f"{name}/{side}"] for side in SIDES)) for name in names)
    verdict, status = _verdict(found)
    return ScenariosReport(
        command="scenarios",
        subject="upstream reports",
        status=status,
        verdict=f"interrupted: {verdict}" if interrupted else verdict,
        stack=next((one.stack for one in evidence if one.stack), None),
        rows=tuple(map(_row, found)),
        findings=tuple(
            Finding("not-as-reported", "problem", one.result, {}, (), "", one.reference, one.name)
            for one in found
            if one.status == Status.FAILING
        ),
        interrupted=interrupted,
        evidence=tuple(by_cell.values()),
        scenarios=found,
    )


def _judge(name: str, bad: Evidence, good: Evidence) -> Scenario:
    module = catalogue()[name]
    seen = [module.shows(one) if _measured(one) else "" for one in (bad, good)]
    spared = getattr(module, "NOT_ON", "")
    lost = next((one for one in (bad, good) if not _measured(one)), None)
    status, result = Status.FAILING, "does not show on the bad client"
    if lost is not None:
        status, result = Status.COULD_NOT_TELL, f"could not measure {lost.cell.name}: {lost.outcome.detail}"
    elif seen[1]:
        result = "shows on the good client too"
    elif not _works(good):
        result = "the good client does not work"
    elif seen[0]:
        status, result = Status.CLEAN, "shown both ways"
    elif spared and bad.stack is not None and bad.stack.openai.startswith(f"{spared}."):
        status, result = Status.CLEAN, f"does not happen on openai {spared}: {module.WHY_NOT}"
    return Scenario(name, summary(name), module.REFERENCE, status, result, seen[0], seen[1])


def _row(one: Scenario) -> Row:
    status = {Status.CLEAN: RowStatus.PASSED, Status.FAILING: RowStatus.FAILED}.get(
        one.status, RowStatus.COULD_NOT_TELL
    )
    return Row("scenario", one.name, "", one.summary, status, one.result, reference=one.reference)


def _works(evidence: Evidence) -> bool:
    """Every turn came to a good end, if need be after retries: only then does silence acquit."""
    last = {(turn.session, turn.turn): turn.outcome for turn in evidence.turns}
    return bool(last) and "error" not in last.values()


def _measured(evidence: Evidence) -> bool:
    return evidence.outcome.how in ("done", "hung")


def _verdict(found: Sequence[Scenario]) -> tuple[str, Status]:
    """The sentence and the status for all of them."""
    unmeasured = [one.name for one in found if one.status == Status.COULD_NOT_TELL]
    if unmeasured:
        return f"could not measure {', '.join(unmeasured)}", Status.COULD_NOT_TELL
    wrong = [f"{one.name} {one.result}" for one in found if one.status == Status.FAILING]
    if wrong:
        return f"not as reported: {'; '.join(wrong)}", Status.FAILING
    return f"{units.count(len(found), 'scenario')} as reported", Status.CLEAN
