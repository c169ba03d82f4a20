"""`hermes-diag repro`: is the bug report true, and does the fix hold?"""

from __future__ import annotations

import sys

from hermes_diag.cli.options import load
from hermes_diag.cli.options.load import (
    Ends,
    Faults,
    Payloads,
    Retries,
    Sessions,
    Strategies,
    Timeout,
    Turns,
    Workloads,
)
from hermes_diag.cli.options.output import Output, reporting
from hermes_diag.cli.options.subject import Python
from hermes_diag.cli.options.tuning import Set

EXAMPLES = """
  hermes-diag repro
  hermes-diag repro --strategy buggy --end close --workload steady --retries 3 -v
  hermes-diag repro last-dump --strategy buggy --workload steady
  hermes-diag repro request_dump_20261101_080000_000000.json --save run.jsonl
  hermes-diag repro --fault fin-mid-stream:every=3 --strategy fixed --retries 1
  hermes-diag repro --python .venv/bin/python --set backend=psutil
  hermes-diag repro --json | jq .verdict
"""


@reporting()
def command(
    payload: Payloads = None,
    strategy: Strategies = None,
    end: Ends = None,
    workload: Workloads = None,
    fault: Faults = None,
    sessions: Sessions = None,
    turns: Turns = None,
    retries: Retries = 0,
    timeout: Timeout = None,
    python: Python = sys.executable,
    set_: Set = None,
    *,
    output: Output,
) -> int:
    """Reproduce the shared-transport bug on real sockets, and prove the fix on the same load.

    Each cell (strategy, end of a turn, workload) is a process of its own that talks to a provider on 127.0.0.1,
    and is judged by what its sockets do. Nothing leaves this machine. Exit code 0 when all is as the bug report
    predicts, 1 when a cell is not, 3 when it could not be measured.
    """
    from hermes_diag.cli import plans
    from hermes_diag.cli.options import subject, tuning

    tuned = tuning.parse(set_)
    where = subject.target(python, None, None)
    bodies = load.payloads(payload, tuned.max_payload)
    sizes = load.sizes(sessions, turns, retries, timeout, tuned)
    plan = plans.matrix(bodies, strategy, end, workload, fault, sizes)
    return plans.carry_out(plan, bodies, where, tuned, output)
