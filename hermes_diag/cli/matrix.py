"""`hermes-diag matrix`: what do many releases, checkouts, SDKs or Pythons leave behind?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hermes_diag.cli.options import trials
from hermes_diag.cli.options.output import Output, reporting
from hermes_diag.cli.options.target import BasePython
from hermes_diag.cli.options.trials import Spec, Turns, Workloads
from hermes_diag.cli.terminal import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hermes_diag.core.trials import Tried
    from hermes_diag.run.environments.wanted import Wanted
    from hermes_diag.run.trials import Tasks

EXAMPLES = """
  hermes-diag matrix 0.16.0 0.18.2 0.19.0
  hermes-diag matrix 0.19.0 ~/src/hermes-agent ~/src/hermes-agent@main --workload interrupted
  hermes-diag matrix openai==2.24.0 openai==3.3.0,httpx==0.28.1 --spec ./clients.py:make_client
  hermes-diag matrix python3.12 .venv --output matrix.html --output matrix.md
"""

Targets = Annotated[
    list[str],
    typer.Argument(
        metavar="TARGET...",
        show_default=False,
        help="A release of Hermes Agent (0.19.0), a checkout (PATH or PATH@REVISION), releases of the SDK "
        "(openai==2.24.0, openai==3.3.0,httpx==0.28.1), or a Python or its virtualenv.",
    ),
]


@reporting(without=("save", "force", "verbose"))
def command(
    targets: Targets,
    workload: Workloads = None,
    spec: Spec = None,
    turns: Turns = None,
    base_python: BasePython = None,
    *,
    output: Output,
) -> int:
    """Try one workload on many targets, and say in one table what each leaves behind for each turn.

    Exit code 0 when none leaves anything, 1 when one does, whatever else could not be told; 3 when no problem was
    found and a target could not be made or measured.
    """
    from hermes_diag.cli import telling
    from hermes_diag.judge import trials as judged
    from hermes_diag.run.environments import wanted

    files = telling.report_files(output)
    what = trials.tasks(workload, spec, turns)
    asked = list(dict.fromkeys(map(wanted.parse, targets)))
    trials.refuse_idle(asked, spec, base_python)
    tried, interrupted = _tried(asked, base_python, what)
    subject = ", ".join(one.name for one in asked)
    return telling.tell(judged.report(tried, subject, interrupted), output, files)


def _tried(asked: Sequence[Wanted], base_python: str | None, what: Tasks) -> tuple[list[Tried], bool]:
    """Every target with what was measured, and whether the user interrupted it. All environments are made first: an
    installer beside a run would slow it down."""
    from hermes_diag.cli.options import load, target
    from hermes_diag.core.errors import HermesDiagError
    from hermes_diag.core.trials import Tried
    from hermes_diag.run.trials import measure

    tried: list[Tried] = []
    try:
        made = target.make_all(asked, base_python)
        for number, (wanted, ready) in enumerate(zip(asked, made, strict=True), start=1):
            if isinstance(ready, HermesDiagError):
                tried.append(Tried(wanted.name, missing=ready.whole))
                continue
            say(f"{number} of {len(asked)}: trying {ready.named} ...")
            measured = measure(ready, what, load.body(None), trials.view)
            tried.append(measured.tried)
            if measured.interrupted:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        return tried + [Tried(one.name, missing="not begun") for one in asked[len(tried) :]], True
    return tried, False
