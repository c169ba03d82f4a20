"""`hermes-diag faults`: what the provider can do wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from hermes_diag.cli.options import complete
from hermes_diag.cli.options.output import Json

EXAMPLES = """
  hermes-diag faults
  hermes-diag faults idle-close
  hermes-diag faults --json | jq '.faults[].name'
"""


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME...", show_default="all", autocompletion=complete.faults, help="Only these faults."
        ),
    ] = None,
    json: Json = False,
) -> int:
    """List the faults that --fault takes, with parameters and upstream reports.

    A fault is written NAME[=VALUE][:KEY=VALUE]..., where the value is that of its first parameter and
    further keys are its other parameters or conditions: request, connection, every, probability, seed,
    path.
    """
    from hermes_diag.cli.terminal import emit
    from hermes_diag.provider import faults
    from hermes_diag.reporters import catalogue, style

    entries = [faults.named(name) for name in names] if names else list(faults.catalogue().values())
    lines = [
        catalogue.Line(
            entry.name,
            tuple(
                (one.name, one.kind.__name__, None if one.required else str(one.default)) for one in entry.parameters
            ),
            entry.summary,
            entry.reference,
            entry.needs_tls,
            entry.streams_only,
        )
        for entry in entries
    ]
    if json:
        emit(catalogue.as_json(lines))
        return 0
    console = style.console()
    console.print(catalogue.render(lines, console.width))
    return 0
