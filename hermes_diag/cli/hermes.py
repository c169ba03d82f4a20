"""The flags of `repro` that concern the real Hermes Agent: what goes together, and its environment."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

from hermes_diag.core import matrix as plans
from hermes_diag.core.errors import UsageError
from hermes_diag.core.plan import PayloadInfo, Plan
from hermes_diag.hermes import cells as hermes_cells
from hermes_diag.hermes import environment
from hermes_diag.worker.contract import HERMES


@dataclass(frozen=True)
class Asked:
    """What the command line asks for; `idle` are the flags given that Hermes has no use for."""

    strategies: tuple[str, ...]
    ends: tuple[str, ...]
    workloads: tuple[str, ...]
    sizes: plans.Sizes
    faults: tuple[str, ...]
    mutate: bool
    version: str
    idle: list[str]


def plan(asked: Asked, payload: PayloadInfo, further: tuple[PayloadInfo, ...] = ()) -> Plan:
    """The plan for our strategies, for Hermes or for both. Raises UsageError for flags that do not match."""
    if asked.version:
        environment.check_version(asked.version)
        asked = replace(asked, strategies=(*asked.strategies, HERMES) if asked.strategies else (HERMES,))
    ours = tuple(one for one in asked.strategies if one != HERMES)
    if HERMES not in asked.strategies:
        return _ours(asked, payload, further)
    _check(asked, alone=not ours)
    own = tuple(name for name in asked.workloads if name in hermes_cells.WORKLOADS)
    workloads = tuple(name for name in asked.workloads if name in plans.WORKLOADS)
    if asked.workloads and not own:
        raise UsageError(
            f"workload {asked.workloads[0]} is not for the real Hermes Agent",
            f"use {', '.join(hermes_cells.WORKLOADS)}",
        )
    cells = hermes_cells.make(own, asked.sizes, asked.faults, asked.mutate)
    if not ours or (asked.workloads and not workloads):
        return Plan(cells, payload)
    mixed = plans.make(payload, ours, asked.ends, workloads, asked.sizes, asked.faults, further)
    return replace(mixed, cells=(*cells, *mixed.cells))


def _ours(asked: Asked, payload: PayloadInfo, further: tuple[PayloadInfo, ...]) -> Plan:
    if asked.mutate:
        raise UsageError("--mutate is for the real Hermes Agent", "add --strategy hermes, or use --strategy buggy")
    for name in asked.workloads:
        if name not in plans.WORKLOADS:
            raise UsageError(
                f"workload {name} is for the real Hermes Agent: it is about watchdogs of its own",
                "add --strategy hermes, or run --scenario silent-stream-aborted",
            )
    return plans.make(payload, asked.strategies, asked.ends, asked.workloads, asked.sizes, asked.faults, further)


def _check(asked: Asked, alone: bool) -> None:
    if asked.mutate and any("watchdog" in hermes_cells.WORKLOADS.get(name, ()) for name in asked.workloads):
        raise UsageError("workload aborted cannot be had with --mutate: after one turn none has a stream to abort")
    if not alone:
        return
    useless = [*(["--end"] if asked.ends else []), *(["--retries"] if asked.sizes.retries else []), *asked.idle]
    if useless:
        raise UsageError(
            f"{', '.join(useless)}: not for --strategy hermes",
            "Hermes makes its own requests, retries and releases as it does: leave it out",
        )


def interpreter(version: str, python: str) -> str:
    """The Python of an environment with that release, made if there is none yet; progress on a terminal.

    Raises UsageError when another was asked for, CannotMeasure when it cannot be made.
    """
    if python != sys.executable:
        raise UsageError("--hermes makes an interpreter of its own: --python names another", "leave one of them out")
    say = (lambda text: print(text, file=sys.stderr, flush=True)) if sys.stderr.isatty() else (lambda text: None)
    return str(environment.ensure(version, say))
