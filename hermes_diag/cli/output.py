"""Where a report meets stdout: the one place that prints, and the exit code with it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console, RenderableType

from hermes_diag.core.errors import INTERRUPTED
from hermes_diag.core.pipes import printed
from hermes_diag.core.plan import Plan
from hermes_diag.core.report import Report
from hermes_diag.reporters import json_document, terminal
from hermes_diag.reporters.live import Progress
from hermes_diag.run.capture import Capture, create
from hermes_diag.run.runner import Runner, finish


def progress_console() -> Console:
    """Progress goes to stderr, so that stdout can be piped."""
    return Console(stderr=True, highlight=False)


def carry_out(
    plan: Plan, save: Path | None, force: bool, make: Callable[[Capture | None, Progress], Runner]
) -> tuple[Runner, bool, str]:
    """Run a plan under the live view, saving the evidence as it comes.

    (the run, whether it was interrupted, what to say about the capture)
    """
    with contextlib.ExitStack() as stack:
        capture = Capture(stack.enter_context(create(save, force)), plan) if save else None
        under_way = make(capture, stack.enter_context(Progress(plan, progress_console())))
        interrupted = not finish(under_way)
    saved = f"evidence written to {save}" if save else ""
    if capture and capture.failure:
        saved = f"evidence could not be written to {save}: {capture.failure}"
    return under_way, interrupted, saved


def show(report: Report, as_json: bool, verbose: bool, interrupted: bool = False, saved: str = "") -> NoReturn:
    """Print the report and leave with its exit code (130 when the run was interrupted).

    saved: what to say about the capture, on stderr.
    """
    put(json_document.render(report) if as_json else None, lambda width: terminal.render(report, width, verbose))
    leave(report.exit_code, interrupted, saved)


def put(document: str | None, render: Callable[[int], RenderableType]) -> None:
    """Print the JSON document, or without one what `render` makes for the width of the terminal."""
    console = terminal.console()
    if document is not None:
        printed(lambda: print(document))
    else:
        printed(lambda: console.print(render(console.width)))


def leave(exit_code: int, interrupted: bool = False, saved: str = "") -> NoReturn:
    """Say what is to be said on stderr, and exit."""
    with contextlib.suppress(OSError):  # without a stderr the report has been printed all the same
        if saved:
            sys.stderr.write(f"{saved}\n")
        if interrupted:
            sys.stderr.write("interrupted: this is what was measured until then\n")
    raise typer.Exit(INTERRUPTED if interrupted else exit_code)
