"""Checked options to a plan, and the plan to its run: what `repro`, `replay`, `hermes` and `scenarios` share."""

from __future__ import annotations

from collections.abc import Sequence

from hermes_diag.cli import outcome
from hermes_diag.cli.options import load
from hermes_diag.cli.options.output import Output
from hermes_diag.cli.options.tuning import Tuning
from hermes_diag.core import matrix as cells
from hermes_diag.core.errors import UsageError
from hermes_diag.core.plan import Plan
from hermes_diag.run import lanes
from hermes_diag.run.interpreter import Target
from hermes_diag.run.payload import Payload
from hermes_diag.run.runner import Runner

Given = Sequence[str] | None


def matrix(
    bodies: Sequence[Payload], strategy: Given, end: Given, workload: Given, fault: Given, sizes: cells.Sizes
) -> Plan:
    """The plan of `repro`. Raises UsageError."""
    return cells.make(
        bodies[0].info,
        load.chosen("--strategy", strategy, cells.STRATEGIES),
        load.chosen("--end", end, cells.ENDS),
        load.chosen("--workload", workload, cells.WORKLOADS),
        sizes,
        load.faults(fault),
        tuple(body.info for body in bodies[1:]),
    )


def factory(
    spec: str, bodies: Sequence[Payload], end: Given, workload: Given, fault: Given, sizes: cells.Sizes
) -> Plan:
    """The plan of `replay`. Raises UsageError."""
    workloads = load.chosen("--workload", workload, cells.WORKLOADS)
    if sizes.conditions.abort and "recycled" not in workloads:
        raise UsageError("--set abort: has no effect on these workloads", "add --workload recycled, or leave it out")
    return cells.for_factory(
        bodies[0].info,
        spec,
        load.chosen("--end", end, cells.ENDS),
        workloads,
        sizes,
        load.faults(fault, sizes.conditions.tls),
        tuple(body.info for body in bodies[1:]),
    )


def carry_out(plan: Plan, bodies: Sequence[Payload], target: Target, tuned: Tuning, output: Output) -> int:
    """Run a plan against our own provider, judge it, tell it; the exit code."""
    wires = [body.wire for body in bodies]
    source = lanes.interpreters(target, tuned.start)
    return outcome.carry_out(
        plan,
        lambda capture, progress: Runner(plan, wires, source, capture, progress, tuned.backend),
        output,
    )
