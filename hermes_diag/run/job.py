"""A cell as its worker is told of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from hermes_diag.core.matrix import BARRIERS
from hermes_diag.core.plan import FRESH, Cell
from hermes_diag.worker.contract import Job


def job_of(cell: Cell, api: str, base_url: str, settings: Mapping[str, Any]) -> Job:
    """The job; of the control, which has a new process for each turn, one turn."""
    fresh = cell.workload == FRESH
    return Job(
        cell=cell.name,
        strategy=cell.strategy,
        end=cell.end,
        workload="steady" if fresh else cell.workload,
        sessions=1 if fresh else cell.sessions,
        turns=1 if fresh else cell.turns,
        scope=cell.scope,
        retries=cell.retries,
        timeout=cell.timeout,
        pool_timeout=cell.pool_timeout,
        seed=cell.seed,
        barriers=BARRIERS,
        api=api,
        base_url=base_url,
        settings=settings,
    )


def settings_of(cell: Cell) -> dict[str, Any]:
    """What only some cells have, as plain JSON by the names of the fields; what is as usual is left out."""
    own = {"factory": cell.factory, "audit": cell.audit, **asdict(cell.conditions)}
    if cell.hermes is not None:
        own.update(asdict(cell.hermes), home=True)  # the folder itself is made with the cell's provider
    return {name: value for name, value in own.items() if value is not None and value is not False and value != ""}
