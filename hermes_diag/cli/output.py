"""Where a report meets stdout: the one place that prints, and the exit code with it."""

from __future__ import annotations

import contextlib
import sys

import typer
from rich.console import Console

from hermes_diag.errors import INTERRUPTED
from hermes_diag.model import Report
from hermes_diag.pipes import printed
from hermes_diag.reporters import json_document, terminal


def progress_console() -> Console:
    """Progress goes to stderr, so that stdout can be piped."""
    return Console(stderr=True, highlight=False)


def show(report: Report, as_json: bool, verbose: bool, interrupted: bool = False, saved: str = "") -> None:
    """Print the report and leave with its exit code (130 when the run was interrupted).

    saved: what to say about the capture, on stderr.
    """
    console = terminal.console()
    if as_json:
        printed(lambda: print(json_document.render(report)))
    else:
        printed(lambda: console.print(terminal.render(report, console.width, verbose)))
    with contextlib.suppress(OSError):  # without a stderr the report has been printed all the same
        if saved:
            sys.stderr.write(f"{saved}\n")
        if interrupted:
            sys.stderr.write("interrupted: the table shows what was measured until then\n")
    raise typer.Exit(INTERRUPTED if interrupted else report.exit_code)
