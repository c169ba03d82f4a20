"""`hermes-diag audit`: what a client factory promises, tried in seconds."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hermes_diag.cli.target import KINDS, Cwd, Env, Python

EXAMPLES = """\b
Examples:
  hermes-diag audit ./clients.py:make_client
  hermes-diag audit mypackage.clients:make_client --python .venv/bin/python --cwd ~/mypackage
  hermes-diag audit buggy
  hermes-diag audit ./clients.py:Pool --json | jq '.rows[] | select(.status == "broken")'
"""


def command(
    spec: Annotated[
        str,
        typer.Argument(
            metavar="SPEC",
            show_default=False,
            help=f"{KINDS} Or one of ours: buggy, fixed.",
        ),
    ],
    cwd: Cwd = None,
    env: Env = None,
    python: Python = sys.executable,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Check what a client factory promises: no load, a few turns on loopback, one row for each promise.

    Exit code 0 when every promise holds, 1 when one is broken, 3 when something could not be told.
    """
    from hermes_diag.cli import output, target
    from hermes_diag.core import matrix
    from hermes_diag.judge import audit as audits
    from hermes_diag.reporters import audit
    from hermes_diag.run import lanes, payload, runner

    where = target.make(python, cwd, env)
    if spec not in matrix.STRATEGIES:
        target.check_spec(spec, cwd)
    body = payload.load(None)
    source = lanes.interpreters(where)
    plan_ = audits.plan(body.info, spec)
    run_, interrupted, _ = output.carry_out(
        plan_, None, False, lambda capture, progress: runner.Runner(plan_, [body.wire], source, capture, progress)
    )
    report = audits.judge(plan_, run_.evidence())
    output.put(audit.as_json(report) if json else None, lambda width: audit.render(report, width))
    output.leave(report.exit_code, interrupted)
