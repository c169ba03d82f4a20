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

from hermes_diag.core.errors import COULD_NOT_MEASURE, OK, PROBLEM, UsageError
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import Cell, PayloadInfo, Plan
from hermes_diag.core.report import ScenarioResult

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
SHOWN = "shown both ways"


@cache
def catalogue() -> dict[str, ModuleType]:
    """Every scenario by its name (the file's, with dashes)."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name.replace("_", "-"): importlib.import_module(f"{__name__}.{name}") for name in names}


def summary(name: str) -> str:
    """A scenario's line."""
    return (catalogue()[name].__doc__ or "").partition("\n")[0].rstrip(".")


def choose(asked: Iterable[str]) -> list[str]:
    """The names that `--scenario` asks for: names, comma-separated, or `all`. Raises UsageError."""
    names = [name for part in asked for name in part.split(",") if name]
    if not names:
        raise UsageError("--scenario names none", "`hermes-diag repro --scenario list` lists all")
    for name in names:
        if name != "all" and name not in catalogue():
            raise UsageError(f"no scenario {name!r}", "`hermes-diag repro --scenario list` lists all")
    return list(catalogue()) if "all" in names else list(dict.fromkeys(names))


def plan(payload: PayloadInfo, names: Sequence[str]) -> Plan:
    """Two cells for each scenario."""
    return Plan(tuple(cell(name, side) for name in names for side in SIDES), payload)


def cell(name: str, side: str) -> Cell:
    """The cell of one side of a scenario."""
    own = getattr(catalogue()[name], side.upper())
    return Cell(**{**_COMMON, **own, "scenario": f"{name}/{side}"})


def judge(evidence: Sequence[Evidence]) -> list[ScenarioResult]:
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
    return [_judge(name, *(by_cell[f"{name}/{side}"] for side in SIDES)) for name in names]


def _judge(name: str, bad: Evidence, good: Evidence) -> ScenarioResult:
    module = catalogue()[name]
    seen = [module.shows(one) if _measured(one) else "" for one in (bad, good)]
    spared = getattr(module, "NOT_ON", "")
    broken = next((one for one in (bad, good) if not _measured(one)), None)
    if broken is not None:
        status = f"could not measure {broken.cell.name}: {broken.outcome.detail}"
    elif seen[1]:
        status = "shows on the good client too"
    elif not _works(good):
        status = "the good client does not work"
    elif seen[0]:
        status = SHOWN
    elif spared and bad.stack is not None and bad.stack.openai.startswith(f"{spared}."):
        status = f"not on openai {spared}: {module.WHY_NOT}"
    else:
        status = "does not show on the bad client"
    return ScenarioResult(name, summary(name), module.REFERENCE, status, seen[0], seen[1])


def _works(evidence: Evidence) -> bool:
    """Every turn came to a good end, if need be after retries: only then does silence acquit."""
    last = {(turn.session, turn.turn): turn.outcome for turn in evidence.turns}
    return bool(last) and "error" not in last.values()


def _measured(evidence: Evidence) -> bool:
    return evidence.outcome.how in ("done", "hung")


def verdict(results: Sequence[ScenarioResult]) -> tuple[str, int]:
    """The sentence and the exit code for all of them."""
    unmeasured = [one.name for one in results if one.status.startswith("could not measure")]
    if unmeasured:
        return f"could not measure {', '.join(unmeasured)}", COULD_NOT_MEASURE
    wrong = [one for one in results if one.status != SHOWN and not one.status.startswith("not on")]
    if wrong:
        return "not as reported: " + "; ".join(f"{one.name} {one.status}" for one in wrong), PROBLEM
    return f"{len(results)} scenarios as reported", OK
