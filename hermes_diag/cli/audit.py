"""`hermes-diag audit`: which promises does my factory break?"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hermes_diag.cli.options.load import Api
from hermes_diag.cli.options.output import Output, reporting
from hermes_diag.cli.options.subject import KINDS, Cwd, Env, Expect, Patience, Python

EXAMPLES = """
  hermes-diag audit ./clients.py:make_client
  hermes-diag audit shop.clients:make_client --python .venv/bin/python --cwd ~/shop
  hermes-diag audit ./clients.py:make_client --expect timeout=120s --expect limits=50/10
  hermes-diag audit buggy --expect sdk-defaults
  hermes-diag audit ./clients.py:Pool --json | jq '.rows[] | select(.status == "failed")'
"""


@reporting(("verbose",))
def command(
    spec: Annotated[
        str, typer.Argument(metavar="SPEC", show_default=False, help=f"{KINDS} Or one of ours: buggy, fixed.")
    ],
    cwd: Cwd = None,
    env: Env = None,
    python: Python = sys.executable,
    patience: Patience = None,
    expect: Expect = None,
    api: Api = None,
    *,
    output: Output,
) -> int:
    """Try what a client factory promises: no load, a few turns on loopback, one row for each promise.

    A timeout, limits, a proxy or sharing that differ from the SDK's own client are noted; --expect makes them count.
    Exit code 0 when every promise is kept, 1 when one is not, 3 when something could not be told.
    """
    from hermes_diag.cli import plans
    from hermes_diag.cli.options import load, subject, tuning
    from hermes_diag.core import matrix
    from hermes_diag.judge import audit, expectations

    where = subject.target(python, cwd, env)
    if spec in matrix.STRATEGIES:
        subject.refuse_idle(cwd, env)
    else:
        subject.check_spec(spec, cwd)
    expectations.parse(expect or ())
    tuned = tuning.Tuning()
    bodies = load.payloads(None, tuned.max_payload, api)
    plan = matrix.patient(audit.plan(bodies[0].info, spec, expect or ()), subject.patience(patience))
    return plans.carry_out(plan, bodies, where, tuned, output)
