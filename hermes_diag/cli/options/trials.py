"""What is tried on each target, and the environments of several at once: what `matrix` and `bisect` share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hermes_diag.cli.options import complete, load, target
from hermes_diag.core import matrix
from hermes_diag.core.errors import UsageError

if TYPE_CHECKING:
    from hermes_diag.core.plan import Plan
    from hermes_diag.run.environments.wanted import Wanted
    from hermes_diag.run.trials import Tasks

Workloads = Annotated[list[str] | None, load.workload_option("aborted for Hermes, interrupted for others")]
Spec = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        show_default="fixed",
        autocompletion=complete.strategies,
        help="What is tried where there is no Hermes Agent: your factory or turn, as in replay, or a strategy of ours.",
    ),
]
Turns = Annotated[int | None, load.turns_option("by workload")]


def tasks(workload: Sequence[str] | None, spec: str | None, turns: int | None) -> Tasks:
    """What the options ask for. Raises UsageError."""
    from hermes_diag.cli.options import subject
    from hermes_diag.hermes import cells
    from hermes_diag.run.trials import Tasks

    known = tuple(dict.fromkeys((*cells.WORKLOADS, *matrix.WORKLOADS)))
    if spec is not None and spec not in matrix.STRATEGIES:
        subject.check_spec(spec, None)
    return Tasks(load.chosen("--workload", workload, known), spec or "", turns)


def refuse_idle(wanted: Sequence[Wanted], spec: str | None, base_python: str | None) -> None:
    """Refuse what has no effect on any of these targets. Raises UsageError."""
    target.refuse_idle_base(wanted, base_python)
    if spec is not None and all(one.is_hermes for one in wanted):
        raise UsageError("--spec has no effect on a Hermes Agent, which is driven itself", "leave it out")


def view(plan: Plan) -> Any:
    """The progress of a plan, on a terminal."""
    from hermes_diag.core import quiet
    from hermes_diag.reporters import style
    from hermes_diag.reporters.progress import Progress

    quiet.begin()
    return Progress(plan, style.console(stderr=True))
