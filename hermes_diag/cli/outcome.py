"""From a plan to an exit code: the one way out of a run. Everything that a report is written to is written here."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from hermes_diag.cli.files import ReportFile, refuse_same_files
from hermes_diag.cli.options.output import Output
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.jsonl import create
from hermes_diag.core.pipes import printed
from hermes_diag.core.plan import Plan
from hermes_diag.core.report import Report
from hermes_diag.judge import reports
from hermes_diag.reporters import formats
from hermes_diag.run.capture import Capture
from hermes_diag.run.runner import Runner, finish

#: Makes the run of a plan: (capture, progress) -> run.
Make = Callable[..., Runner]


@dataclass(frozen=True)
class Ran:
    """A run that has ended. `said`: what stderr has to say of the capture."""

    evidence: Sequence[Evidence]
    interrupted: bool
    said: str = ""


def carry_out(plan: Plan, make: Make, output: Output) -> int:
    """Run a plan, judge it, tell it; the exit code."""
    files = report_files(output)
    ran = run(plan, make, output)
    return tell(reports.of(plan, ran.evidence, ran.interrupted), output, files, [ran.said])


def report_files(output: Output, **others: Path | None) -> list[ReportFile]:
    """The files of --output, known to be writable before the run. others: files of further options, by name.

    Raises UsageError.
    """
    given = [("--output", path) for path in output.files]
    refuse_same_files([("--save", output.save), *others.items(), *given])
    return [ReportFile(path, formats.of_file(path)) for path in output.files]


def run(plan: Plan, make: Make, output: Output, around: AbstractContextManager[None] = nullcontext()) -> Ran:
    """Run a plan under the live view, saving the evidence as it comes. around: entered for the run itself.

    Raises HermesDiagError.
    """
    from rich.console import Console

    from hermes_diag.reporters.progress import Progress

    with contextlib.ExitStack() as stack:
        capture = Capture(stack.enter_context(create(output.save, output.force)), plan) if output.save else None
        # Progress goes to stderr, so that stdout can be piped.
        progress = stack.enter_context(Progress(plan, Console(stderr=True, highlight=False)))
        under_way = make(capture, progress)
        with around:
            interrupted = not finish(under_way)
    said = f"saved to {output.save}" if capture else ""
    if capture and capture.failure:
        said = f"could not be saved to {output.save}: {capture.failure}"
    return Ran(under_way.evidence(), interrupted, said)


def tell(report: Report, output: Output, files: Sequence[ReportFile] = (), said: Sequence[str] = ()) -> int:
    """Write the report to its files and to stdout, the rest to stderr; the exit code."""
    from hermes_diag.cli.terminal import width

    columns = width()
    lines = [*said, *(file.write(file.format.render(report, columns, output.verbose)) for file in files)]
    text = formats.load("json" if output.json else "terminal").render(report, columns, output.verbose)
    printed(lambda: sys.stdout.write(text))
    if report.interrupted:
        lines.append("interrupted: this is what was measured until then")
    with contextlib.suppress(OSError):  # without a stderr the report has been printed all the same
        sys.stderr.write("".join(f"{line}\n" for line in lines if line))
    return report.exit_code
