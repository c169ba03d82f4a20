"""Compares the error that a request dump records with what happened in this run. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hermes_diag.core.plan import MEASURE, PayloadInfo, Then
from hermes_diag.core.report import CellReport, RunReport


@dataclass(frozen=True)
class Beside:
    """A dump and this run: `same` names the cells in which the recorded error surfaced, `ok` those without
    any error, `other` those with other errors only."""

    payload: str
    then: Then
    same: tuple[str, ...]
    ok: tuple[str, ...]
    other: tuple[str, ...]


def of(report: RunReport) -> tuple[Beside, ...]:
    """One for each payload of the plan that is a dump."""
    return tuple(_beside(report, info, info.then) for info in report.plan.payloads if info.then is not None)


def _beside(report: RunReport, info: PayloadInfo, then: Then) -> Beside:
    groups: dict[str, list[str]] = {"same": [], "ok": [], "other": []}
    for one, seen in zip(report.cells, report.evidence, strict=True):
        if one.cell.workload == MEASURE or one.missing or one.cell.payload not in ("", info.source):
            continue
        statuses = {turn.status for turn in seen.turns if turn.outcome == "error"}
        groups[_group(one, then, statuses)].append(one.cell.name)
    return Beside(info.source, then, tuple(groups["same"]), tuple(groups["ok"]), tuple(groups["other"]))


def _group(one: CellReport, then: Then, statuses: set[int | None]) -> str:
    if not one.errors:
        return "ok"
    # An answer of the provider is recognised by its status, any other failure by its exception class.
    same = then.status in statuses if then.status is not None else then.error in one.errors
    return "same" if same else "other"


def words(then: Then) -> str:
    """The recorded error in words."""
    if not then.error and then.status is None and not then.message:
        return "no error was recorded"
    what = ", ".join(filter(None, (then.error, f"HTTP {then.status}" if then.status else "")))
    return ": ".join(filter(None, (what, then.message)))
