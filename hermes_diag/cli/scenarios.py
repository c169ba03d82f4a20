"""`hermes-diag scenarios`: which upstream reports show here?"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hermes_diag.cli.options import complete, load
from hermes_diag.cli.options.output import Output, reporting
from hermes_diag.cli.options.subject import Python
from hermes_diag.cli.options.tuning import Set

EXAMPLES = """
  hermes-diag scenarios list
  hermes-diag scenarios
  hermes-diag scenarios cut-stream half-open-reused
  hermes-diag scenarios --python .venv/bin/python --json
"""


Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME...",
        show_default="all",
        autocompletion=complete.scenarios,
        help="Only these; `list` shows the catalogue and runs nothing.",
    ),
]
Body = Annotated[
    str | None,
    typer.Option(metavar="PAYLOAD", show_default=False, help="Replay this body or request dump, as in repro."),
]


@reporting(without=("verbose",))
def command(
    names: Names = None,
    payload: Body = None,
    python: Python = sys.executable,
    set_: Set = None,
    *,
    output: Output,
) -> int:
    """Show upstream reports on a client that has the symptom, and on one that has not.

    Exit code 0 when each shows on the bad client and not on the good one, 1 when not, 3 when it could not be
    measured.
    """
    from hermes_diag.cli import plans
    from hermes_diag.cli.options import subject, tuning
    from hermes_diag.core.errors import UsageError
    from hermes_diag.judge import scenarios

    if names and "list" in names:
        if len(names) > 1:
            raise UsageError("`scenarios list` shows all scenarios and takes no name", "leave one out")
        if payload or set_ or output not in (Output(), Output(json=True)) or python != sys.executable:
            raise UsageError("`scenarios list` runs nothing and takes only --json", "leave the other options out")
        return _list(output.json)
    tuned = tuning.parse(set_, ("backend", "start", "max-payload"))
    where = subject.target(python, None, None)
    bodies = load.payloads([payload] if payload else None, tuned.max_payload)
    plan = scenarios.plan(bodies[0].info, scenarios.choose(names or ()))
    return plans.carry_out(plan, bodies, where, tuned, output)


def _list(as_json: bool) -> int:
    """Print the catalogue."""
    from hermes_diag.cli.terminal import emit
    from hermes_diag.judge import scenarios
    from hermes_diag.reporters import envelope, style
    from hermes_diag.reporters import scenarios as reporter

    lines = [(name, scenarios.summary(name), module.REFERENCE) for name, module in scenarios.catalogue().items()]
    if as_json:
        entries = [dict(zip(("name", "summary", "reference"), line, strict=True)) for line in lines]
        emit(envelope.encoded(envelope.catalogue("scenarios", scenarios=entries), indent=True))
    else:
        style.console().print(reporter.listing(lines))
    return 0
