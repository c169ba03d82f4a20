"""Where a report meets stdout: the one place that prints, and the exit code with it."""

from __future__ import annotations

import os
import sys

import typer
from rich.console import Console

from hermes_diag.errors import INTERRUPTED
from hermes_diag.model import Report
from hermes_diag.reporters import json_document, terminal


def progress_console() -> Console:
    """Progress goes to stderr, so that stdout can be piped."""
    return Console(stderr=True, highlight=False)


def show(report: Report, as_json: bool, verbose: bool, interrupted: bool = False, saved: str = "") -> None:
    """Print the report and leave with its exit code (130 when the run was interrupted).

    saved: what to say about the capture, on stderr.
    """
    try:
        if as_json:
            print(json_document.render(report))
        else:
            console = terminal.console()
            console.print(terminal.render(report, console.width, verbose))
        sys.stdout.flush()
    except BrokenPipeError:  # `| head`: the reader has seen enough, the verdict stands
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if saved:
        sys.stderr.write(f"{saved}\n")
    if interrupted:
        sys.stderr.write("interrupted: the table shows what was measured until then\n")
    raise typer.Exit(INTERRUPTED if interrupted else report.exit_code)
