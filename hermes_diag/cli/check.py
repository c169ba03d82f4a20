"""`hermes-diag check`: is it still fixed? For CI: an audit and the decisive workloads in one run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hermes_diag.cli.options import complete
from hermes_diag.cli.options.load import Api, Faults, Workloads
from hermes_diag.cli.options.output import Output, reporting
from hermes_diag.cli.options.subject import Env, Expect, Patience

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hermes_diag.cli.outcome import Ran
    from hermes_diag.core.plan import Plan
    from hermes_diag.judge.baseline import Baseline
    from hermes_diag.judge.settings import Asked, Settings
    from hermes_diag.run.interpreter import Target
    from hermes_diag.run.payload import Payload

EXAMPLES = """
  hermes-diag check
  hermes-diag check ./clients.py:make_client --output check.xml --output check.md
  hermes-diag check ./clients.py:make_client --fail-on 'close_wait_left > 0' --fault rst-mid-stream
  hermes-diag check ./clients.py:make_client --save main.jsonl
  hermes-diag check ./clients.py:make_client --baseline main.jsonl
  hermes-diag check ./clients.py:make_client --allow 'default-limits:2027-01-31:ten connections are plenty'
"""

# None where nothing was given: then the environment or pyproject.toml decides.
Spec = Annotated[
    str | None,
    typer.Argument(
        metavar="SPEC",
        show_default=False,
        help="The factory, pool or client, as in audit, or a turn(base_url, session); or fixed, buggy. Default: "
        "fixed, our own, as a self-test.",
    ),
]
Cwd = Annotated[
    str | None, typer.Option(metavar="DIR", show_default=False, help="Folder in which the factory is imported.")
]
Python = Annotated[
    str | None, typer.Option(metavar="PATH", show_default=False, help="Interpreter whose SDK is put to the test.")
]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FINDING:DATE:REASON",
        show_default=False,
        autocompletion=complete.findings,
        help="Do not fail on it up to that day. Repeatable.",
    ),
]
FailOn = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-on",
        metavar="CONDITION",
        show_default=False,
        autocompletion=complete.check_conditions,
        help="Fail when it holds, like 'close_wait_left > 0'; also close_wait_peak, established_left. Repeatable.",
    ),
]
Earlier = Annotated[
    Path | None,
    typer.Option(
        "--baseline", metavar="FILE", show_default=False, help="Fail on what got worse only since this file of --save."
    ),
]


@reporting()
def command(
    spec: Spec = None,
    cwd: Cwd = None,
    env: Env = None,
    python: Python = None,
    patience: Patience = None,
    workload: Workloads = None,
    fault: Faults = None,
    allow: Allow = None,
    fail_on: FailOn = None,
    expect: Expect = None,
    api: Api = None,
    baseline: Earlier = None,
    *,
    output: Output,
) -> int:
    """Guard a client factory: what `audit` tries and the decisive workloads of `replay`, in a few seconds.

    Settings come from here, else from HERMES_DIAG_..., else from [tool.hermes-diag] in the nearest
    pyproject.toml. Exit code 0 when nothing failed, 1 when something did, 3 when something could not be told.
    """
    from hermes_diag.cli import configuration, github
    from hermes_diag.cli.options import load, subject
    from hermes_diag.core import matrix

    given = {
        "factory": spec, "python": python, "cwd": cwd, "workloads": workload, "faults": fault, "allow": allow,
        "fail_on": fail_on, "expect": expect,
    }  # fmt: skip
    with github.refusals():  # on GitHub what is refused is an annotation, too
        settings = configuration.load(given)
        if settings.factory in matrix.STRATEGIES:
            subject.refuse_idle(cwd, env)
        return _check(settings, env, subject.patience(patience), load.body(api), baseline, output)


def _check(
    settings: Settings,
    env: Sequence[str] | None,
    patience: float | None,
    body: Payload,
    baseline: Path | None,
    output: Output,
) -> int:
    from hermes_diag.cli import github, telling
    from hermes_diag.cli.options import subject
    from hermes_diag.core import matrix
    from hermes_diag.judge import check

    files = telling.report_files(output, **{"--baseline": baseline})
    folder = Path(settings.cwd) if settings.cwd else None
    target = subject.target(settings.python or sys.executable, folder, env)
    before = _baseline(baseline)
    plan = matrix.patient(check.make(body.info, settings), patience)
    asked = settings.asked(before.name if before else "")
    ran, trouble = _run(plan, body, target, settings, output, asked, before)
    report = check.judge(plan, ran.evidence, asked, before, trouble, ran.interrupted)
    said = [*ran.said]
    if github.is_there():
        said.append(github.tell(report, folder or Path(), pure=output.format != "terminal"))
    return telling.tell(report, output, files, said)


def _run(
    plan: Plan,
    body: Payload,
    target: Target,
    settings: Settings,
    output: Output,
    asked: Asked,
    before: Baseline | None,
) -> tuple[Ran, str]:
    """The run, and why it could not be made at all: that is a result too, or files would show an older one."""
    from hermes_diag.cli import configuration, outcome
    from hermes_diag.core.errors import CannotMeasure
    from hermes_diag.run import lanes
    from hermes_diag.run.runner import Runner

    made: list[Runner] = []

    def make(capture: Any, progress: Any) -> Runner:
        made.append(Runner(plan, [body.wire], lanes.interpreters(target), capture, progress))
        return made[0]

    try:
        # A module's factory may turn out to be missing only when its interpreter has looked.
        around = configuration.blamed_on(settings, "factory")
        return outcome.run(plan, make, output, around, asked, before.evidence if before else ()), ""
    except CannotMeasure as exc:
        evidence = made[0].evidence() if made else []
        return outcome.Ran(evidence, False), exc.whole


def _baseline(path: Path | None) -> Baseline | None:
    if path is None:
        return None
    from hermes_diag.judge.baseline import Baseline
    from hermes_diag.run import capture

    return Baseline(str(path), capture.read(path)[1])
