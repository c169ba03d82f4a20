"""What is tried on each target, and the environments of several at once: what `matrix` and `bisect` share."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hermes_diag.cli.options import complete, load, target
from hermes_diag.core import matrix
from hermes_diag.core.errors import HermesDiagError

if TYPE_CHECKING:
    from hermes_diag.core.plan import Plan
    from hermes_diag.run.environments.wanted import Ready, Wanted
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
#: Environments that are made at the same time.
_TOGETHER = 2


def tasks(workload: Sequence[str] | None, spec: str | None, turns: int | None) -> Tasks:
    """What the options ask for. Raises UsageError."""
    from hermes_diag.cli.options import subject
    from hermes_diag.hermes import cells
    from hermes_diag.run.trials import Tasks

    known = tuple(dict.fromkeys((*cells.WORKLOADS, *matrix.WORKLOADS)))
    if spec is not None and spec not in matrix.STRATEGIES:
        subject.check_spec(spec, None)
    return Tasks(load.chosen("--workload", workload, known), spec or "", turns)


def view(plan: Plan) -> Any:
    """The progress of a plan, on a terminal."""
    from rich.console import Console

    from hermes_diag.reporters.progress import Progress

    return Progress(plan, Console(stderr=True, highlight=False))


def make_all(wanted: Sequence[Wanted], base_python: str | None) -> list[Ready | str]:
    """The environments of all targets, two at a time; in the place of one that cannot be had its reason.

    Raises KeyboardInterrupt, when every installer has been ended.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(_TOGETHER) as pool:
        futures = [pool.submit(_made, one, base_python, stop) for one in wanted]
        try:
            while wait(futures, timeout=0.5).not_done:
                pass
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return list(map(Future.result, futures))


def make_one(wanted: Wanted, base_python: str | None) -> Ready | str:
    """The environment of one target, or the reason why it cannot be had. Raises KeyboardInterrupt."""
    return make_all([wanted], base_python)[0]


def _made(wanted: Wanted, base_python: str | None, stop: threading.Event) -> Ready | str:
    from hermes_diag.run.environments.installer import Installer
    from hermes_diag.run.environments.wanted import ready

    try:
        return ready(wanted, base_python or sys.executable, Installer(target.say, stop))
    except HermesDiagError as exc:
        return exc.whole
