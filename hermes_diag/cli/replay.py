"""`hermes-diag replay`: what does my client factory do under gateway load?"""

from __future__ import annotations

import sys
from typing import Annotated

from hermes_diag.cli.options import load
from hermes_diag.cli.options.load import Api, Faults, Payloads, Retries, Sessions, Timeout, Turns, Workloads
from hermes_diag.cli.options.output import Output, reporting
from hermes_diag.cli.options.subject import Cwd, Env, Patience, Python, Spec
from hermes_diag.cli.options.tuning import Set

EXAMPLES = """
  hermes-diag replay ./clients.py:make_client
  hermes-diag replay shop.clients:Pool --python .venv/bin/python --cwd ~/shop --env SHOP_CONFIG=test.toml
  hermes-diag replay ./clients.py:make_client last-dump --workload interrupted --turns 50 -v
  hermes-diag replay ./clients.py:make_client --fault rst-mid-stream --end abandon
"""

Ends = Annotated[list[str] | None, load.end_option("close")]


@reporting()
def command(
    spec: Spec,
    payload: Payloads = None,
    api: Api = None,
    end: Ends = None,
    workload: Workloads = None,
    fault: Faults = None,
    sessions: Sessions = None,
    turns: Turns = None,
    retries: Retries = 0,
    timeout: Timeout = None,
    python: Python = sys.executable,
    cwd: Cwd = None,
    env: Env = None,
    patience: Patience = None,
    set_: Set = None,
    *,
    output: Output,
) -> int:
    """Put your own client factory, pool or client under the load of a gateway, and judge it by its sockets.

    Each client is closed after its turn, or with --end abandon by nobody. Exit code 0 when every turn ended
    well and nothing grew, 1 when not, 3 when it could not be measured.
    """
    from hermes_diag.cli import plans
    from hermes_diag.cli.options import subject, tuning
    from hermes_diag.core import matrix

    tuned = tuning.parse(set_, (*tuning.OF_RUNS, *tuning.OF_SUBJECTS))
    where = subject.target(python, cwd, env)
    subject.check_spec(spec, cwd)
    bodies = load.payloads(payload, tuned.max_payload, api)
    sizes = load.sizes(sessions, turns, retries, timeout, tuned)
    plan = plans.factory(spec, bodies, end, workload, fault, sizes)
    plan = matrix.patient(plan, subject.patience(patience))
    return plans.carry_out(plan, bodies, where, tuned, output)
