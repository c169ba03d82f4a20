"""`hermes-diag faults`: what the provider can do wrong."""

from __future__ import annotations

from typing import Annotated

import typer

EXAMPLES = """\b
Examples:
  hermes-diag faults
  hermes-diag faults idle-close
  hermes-diag faults --json | jq '.faults[].name'
"""


def command(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", show_default=False, help="Only these faults.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """List the faults of `serve --fault` and `repro --fault`, with parameters and upstream reports.

    A fault is written NAME[=VALUE][:KEY=VALUE]..., where the value is that of its first parameter and
    further keys are its other parameters or conditions: request, connection, every, probability, seed,
    path.
    """
    from hermes_diag.provider import faults
    from hermes_diag.reporters import catalogue, terminal

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
        )
        for entry in entries
    ]
    if json:
        print(catalogue.as_json(lines))
        return
    console = terminal.console()
    console.print(catalogue.render(lines, console.width))
