"""`hermes-diag report`: print a saved run, check or watch again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """\b
Examples:
  hermes-diag report run.jsonl
  hermes-diag report run.jsonl --json
  hermes-diag report night.jsonl   (of hermes-diag sockets --watch --save)
"""


def command(
    capture: Annotated[Path, typer.Argument(metavar="FILE", help="A file written by --save, whole or cut off.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="One row per turn; of a watch, every endpoint.")
    ] = False,
) -> None:
    """Judge the evidence of an earlier run, check or watch again and print it; runs nothing."""
    from hermes_diag.core.plan import AUDIT
    from hermes_diag.judge import verdicts
    from hermes_diag.run import capture as captures
    from hermes_diag.watch import capture as watch_capture

    if watch_capture.is_watch(capture):
        from hermes_diag.cli.sockets import show_capture

        raise typer.Exit(show_capture(capture, json, verbose))
    from hermes_diag.cli import output

    plan, evidence = captures.read(capture)
    if any(cell.scenario for cell in plan.cells):
        from hermes_diag.cli import scenario

        scenario.show(evidence, json, interrupted=False, saved="")
    if any(cell.workload == AUDIT for cell in plan.cells):
        from hermes_diag.judge import check as checks
        from hermes_diag.reporters import check

        checked = checks.again(plan, evidence)
        output.put(check.as_json(checked) if json else None, lambda width: check.render(checked, width))
        output.leave(checked.exit_code)
    output.show(verdicts.report(plan, evidence), json, verbose)
