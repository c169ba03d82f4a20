"""`hermes-diag report`: the same again, in another form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hermes_diag.cli.options.output import Files, Json, Output, Verbose

EXAMPLES = """
  hermes-diag report run.jsonl
  hermes-diag report run.jsonl --json
  hermes-diag report run.jsonl -v --output run.md
  hermes-diag report night.jsonl
"""


def command(
    capture: Annotated[Path, typer.Argument(metavar="FILE", help="A file written by --save, whole or cut off.")],
    files: Files = None,
    json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Judge the evidence of an earlier run, check or watch again, and print it; runs nothing.

    Exit codes are those of the command that wrote the file.
    """
    from hermes_diag.run import capture as captures
    from hermes_diag.watch import capture as watch_capture

    output = Output(json, verbose, files=tuple(files or ()))
    if watch_capture.is_watch(capture):
        from hermes_diag.cli.watching import tell_again

        return tell_again(capture, output)
    from hermes_diag.cli import outcome
    from hermes_diag.judge import reports

    plan, evidence = captures.read(capture)
    return outcome.tell(reports.of(plan, evidence), output, outcome.report_files(output))
