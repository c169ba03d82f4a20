"""From a plan to an exit code: how a run is made, saved, judged and told."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from hermes_diag.cli import telling
from hermes_diag.cli.options.output import Output
from hermes_diag.core import quiet
from hermes_diag.core.errors import CannotMeasure
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.new_file import NewFile, Written
from hermes_diag.core.plan import Plan
from hermes_diag.judge import reports
from hermes_diag.judge.settings import Asked
from hermes_diag.run.capture import Capture, Ended
from hermes_diag.run.runner import Runner, finish

#: Makes the run of a plan: (capture, progress) -> run.
Make = Callable[..., Runner]


@dataclass(frozen=True)
class Ran:
    """A run that has ended. `said`: what stderr has to say of it and its capture."""

    evidence: Sequence[Evidence]
    interrupted: bool
    said: tuple[str | Written, ...] = ()


def carry_out(plan: Plan, make: Make, output: Output) -> int:
    """Run a plan, judge it, tell it; the exit code."""
    files = telling.report_files(output)
    ran = run(plan, make, output)
    return telling.tell(reports.of(plan, ran.evidence, ran.interrupted), output, files, ran.said)


def run(
    plan: Plan,
    make: Make,
    output: Output,
    around: AbstractContextManager[None] = nullcontext(),
    asked: Asked | None = None,
    before: Sequence[Evidence] = (),
) -> Ran:
    """Run a plan under the live view, saving the evidence as it comes. around: entered for the run itself.
    asked, before: what the capture of a check keeps beside the evidence.

    Raises HermesDiagError.
    """
    from hermes_diag.reporters import style
    from hermes_diag.reporters.progress import Progress

    quiet.begin()
    trouble: CannotMeasure | None = None
    with contextlib.ExitStack() as stack:
        saved = NewFile(output.save, output.force) if output.save else None
        capture = Capture(stack.enter_context(saved), plan, asked, before) if saved else None
        # Progress goes to stderr, so that stdout can be piped.
        progress = stack.enter_context(Progress(plan, style.console(stderr=True)))
        under_way = make(capture, progress)
        try:
            with around:
                interrupted = not finish(under_way)
        except CannotMeasure as exc:
            if capture:
                capture.end(Ended(trouble=exc.whole))
            if not any(one.turns for one in under_way.evidence()):
                raise  # nothing was measured: a file that was there stays
            trouble = exc
        else:
            if capture:
                capture.end(Ended(interrupted))
    if trouble:
        raise trouble
    told = (saved.said(capture.failure),) if saved and capture else ()
    return Ran(under_way.evidence(), interrupted, (*told, *repeated(under_way.evidence())))


def repeated(evidence: Iterable[Evidence]) -> Iterator[str]:
    """Which cells were run more than once, and why."""
    for one in evidence:
        if one.repeated and one.outcome.detail != one.repeated[-1].why:
            yield f"note: {one.cell.name} was run again, since {one.repeated[-1].why} in it"
