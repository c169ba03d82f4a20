"""`hermes-diag hermes`: what does a release of the real Hermes Agent leave behind?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from hermes_diag.cli.options import complete, load, target
from hermes_diag.cli.options.load import Faults, Sessions, Turns, Workloads
from hermes_diag.cli.options.output import Output, reporting
from hermes_diag.cli.options.target import BasePython
from hermes_diag.cli.options.tuning import Set

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hermes_diag.core.matrix import Sizes
    from hermes_diag.core.plan import Cell

EXAMPLES = """
  hermes-diag hermes 0.19.0
  hermes-diag hermes ~/src/hermes-agent --base-python python3.13
  hermes-diag hermes --python ~/.hermes/venv/bin/python --workload aborted
  hermes-diag hermes 0.19.0 --fault rst-mid-stream --fault fin-mid-stream
  hermes-diag hermes 0.19.0 --tls
  hermes-diag hermes 0.19.0 --workload recycled
  hermes-diag hermes 0.19.0 --mutate
"""


Version = Annotated[
    str | None,
    typer.Argument(
        metavar="VERSION|PATH",
        show_default=False,
        help="A release on the package index, such as 0.19.0, or a source checkout (PATH@REVISION: as it was then); "
        "its environment is made once and kept in your cache. Or the folder of a virtualenv that has Hermes Agent.",
    ),
]
Python = Annotated[
    str | None,
    typer.Option(
        metavar="PYTHON", show_default=False, help="Instead of VERSION: an interpreter that has Hermes Agent."
    ),
]
Tls = Annotated[bool, typer.Option("--tls", help="The provider speaks TLS, and Hermes trusts its authority.")]
Mutate = Annotated[bool, typer.Option("--mutate", help="Put the historic mutation (#10933) back, in memory only.")]


Api = Annotated[
    list[str] | None,
    typer.Option(
        metavar="API",
        show_default="codex",
        autocompletion=complete.apis,
        help="What Hermes speaks: codex (Responses), chat or anthropic. Repeatable.",
    ),
]


@reporting()
def command(
    version: Version = None,
    python: Python = None,
    base_python: BasePython = None,
    workload: Workloads = None,
    fault: Faults = None,
    sessions: Sessions = None,
    turns: Turns = None,
    tls: Tls = False,
    mutate: Mutate = False,
    api: Api = None,
    set_: Set = None,
    *,
    output: Output,
) -> int:
    """Drive the real Hermes Agent through a gateway's workloads, and say what it leaves behind.

    One long-lived agent for each session, an empty home, no way out but to our provider on 127.0.0.1. Exit code 0
    when nothing is left behind, 1 when something is, 3 when it could not be measured.
    """
    from hermes_diag.cli import plans
    from hermes_diag.cli.options import subject, tuning
    from hermes_diag.core.plan import Plan

    _refuse(version, python, base_python)
    tuned = tuning.parse(set_, ("idle-close", "seed", "backend", "start"))
    tuned = replace(tuned, tls=tls)
    cells_ = _cells(workload, _faults(fault, tls), load.sizes(sessions, turns, 0, None, tuned), mutate, api)
    bodies = load.payloads(None, tuned.max_payload)
    made = python or target.interpreter(version or "", base_python)
    where = subject.target(made, None, None)
    return plans.carry_out(Plan(cells_, bodies[0].info), bodies, where, tuned, output)


def _refuse(version: str | None, python: str | None, base_python: str | None) -> None:
    """Raises UsageError when it is not said, or said twice, which Hermes it is."""
    from hermes_diag.core.errors import UsageError

    if version is not None and python:
        raise UsageError("VERSION and --python name two Hermes Agents", "leave one out")
    if version is None and not python:
        raise UsageError(
            "which Hermes Agent?",
            "give a VERSION such as 0.19.0, the PATH of a checkout, or --python of one that has it",
        )
    if python and base_python:
        raise UsageError("--base-python has no effect with --python, which is used as it is", "leave one out")


def _cells(
    given: Sequence[str] | None, faults: tuple[str, ...], sizes: Sizes, mutate: bool, api: Sequence[str] | None
) -> tuple[Cell, ...]:
    """The cells that the options ask for. Raises UsageError."""
    from hermes_diag.core.errors import UsageError
    from hermes_diag.hermes import cells

    workloads = load.chosen("--workload", given, tuple(cells.WORKLOADS))
    watched = [name for name in workloads if "watchdog" in cells.WORKLOADS[name]]
    if mutate and watched:
        said = f"--workload {watched[0]} with --mutate: after one turn none has a stream to abort"
        raise UsageError(said, "leave one out")
    return cells.make(workloads, sizes, faults, mutate, load.chosen("--api", api, cells.APIS))


def _faults(given: Sequence[str] | None, tls: bool) -> tuple[str, ...]:
    """Faults that a cell of Hermes can have. Raises UsageError."""
    from hermes_diag.core import matrix
    from hermes_diag.core.errors import UsageError

    for spec in given or ():
        if spec.startswith(matrix.OF_PROXY):
            cure = "use it in replay, check or repro, or with serve --as-proxy and a Hermes of your own"
            raise UsageError(f"fault {spec} acts in a proxy, which this command does not have", cure)
    return load.faults(given, tls)
