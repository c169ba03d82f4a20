"""`hermes-diag repro --scenario`: the catalogue, and its verdicts."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from hermes_diag.core.errors import INTERRUPTED, UsageError
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.pipes import printed

#: What goes with a scenario; all else that shapes the cells of the matrix is given by its two cells.
_GOES_WITH = {
    "scenario", "payload", "last_dump", "profile", "max_payload", "python", "backend", "start", "save", "force",
    "json", "verbose",
}  # fmt: skip


def refuse_what_shapes_the_matrix(context: typer.Context) -> None:
    """Raise UsageError for an option of the command line that a scenario would not heed."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE" and parameter.name not in _GOES_WITH:
            raise UsageError(f"--scenario does not go with {parameter.opts[0]}", "leave one of them out")


def show_list(as_json: bool) -> None:
    """Print the catalogue and leave."""
    import json

    from hermes_diag.judge import scenarios
    from hermes_diag.reporters import scenarios as reporter
    from hermes_diag.reporters import terminal

    lines = [(name, scenarios.summary(name), module.REFERENCE) for name, module in scenarios.catalogue().items()]
    if as_json:
        fields = ("name", "summary", "reference")
        entries = [dict(zip(fields, line, strict=True)) for line in lines]
        print(json.dumps({"schema": 1, "scenarios": entries}, indent=2))
    else:
        terminal.console().print(reporter.listing(lines))
    raise typer.Exit


def show(evidence: Sequence[Evidence], as_json: bool, interrupted: bool, saved: str) -> None:
    """Judge, print and leave with the exit code."""
    from hermes_diag.judge import scenarios
    from hermes_diag.reporters import scenarios as reporter
    from hermes_diag.reporters import terminal

    results = scenarios.judge(evidence)
    stack = next((one.stack for one in evidence if one.stack), None)
    verdict, code = scenarios.verdict(results)
    if as_json:
        printed(lambda: print(reporter.as_json(results, stack, verdict, code)))
    else:
        printed(lambda: terminal.console().print(reporter.render(results, stack, verdict, code)))
    if saved:
        sys.stderr.write(f"{saved}\n")
    raise typer.Exit(INTERRUPTED if interrupted else code)
