"""`hermes-diag repro`: reproduce the bug, prove the fix."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from hermes_diag.cli.target import KINDS, Cwd, Env, Python

EXAMPLES = """\b
Examples:
  hermes-diag repro
  hermes-diag repro --strategy buggy --release close --workload steady --retries 3 -v
  hermes-diag repro request_dump_20261101_080000_000000.json --save run.jsonl
  hermes-diag repro --json | jq .verdict
  hermes-diag repro --fault fin-mid-stream:every=3 --strategy fixed --release close --retries 1
  hermes-diag repro --factory ./clients.py:make_client --python .venv/bin/python
  hermes-diag repro --scenario cut-stream,half-open-reused
"""


# typer takes a Literal for one value, but for a repeatable option only an Enum.
class Strategy(str, Enum):
    buggy = "buggy"
    fixed = "fixed"


class Release(str, Enum):
    close = "close"
    abandon = "abandon"


class Workload(str, Enum):
    steady = "steady"
    interrupted = "interrupted"
    overlapping = "overlapping"


def _idle_close(text: str) -> float:
    if text == "never":
        return -1.0
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not (seconds == 0 or 0.05 <= seconds <= 60):
        raise typer.BadParameter("0, or seconds from 0.05 to 60, or never")
    return seconds


def _values(chosen: list[Any] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.value for one in chosen or ()))


def command(
    payload: Annotated[
        Path | None,
        typer.Argument(
            metavar="PAYLOAD",
            show_default=False,
            help="JSON file with a Responses or Chat Completions body, or a Hermes request dump. "
            "Without one a tiny built-in prompt.",
        ),
    ] = None,
    strategy: Annotated[
        list[Strategy] | None, typer.Option(show_default="all", help="Only this client strategy. Repeatable.")
    ] = None,
    release: Annotated[
        list[Release] | None,
        typer.Option(show_default="all", help="Only this end of a turn: close the request client, or abandon it."),
    ] = None,
    workload: Annotated[
        list[Workload] | None, typer.Option(show_default="all", help="Only this workload. Repeatable.")
    ] = None,
    sessions: Annotated[
        int | None, typer.Option(min=1, max=100, show_default="1 to 3, by workload", help="Chat sessions.")
    ] = None,
    turns: Annotated[
        int | None, typer.Option(min=1, max=5000, show_default="6 to 101, by workload", help="Turns per session.")
    ] = None,
    scope: Annotated[
        Literal["session", "gateway"] | None,
        typer.Option(show_default="session; gateway when overlapping", help="Who shares one client_kwargs dict."),
    ] = None,
    retries: Annotated[
        int,
        typer.Option(
            min=0, max=10, help="Retries of a failed turn, each with a shared client rebuilt from the same kwargs."
        ),
    ] = 0,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0.05,
            max=600,
            show_default="10, and 1 for a free connection",
            help="Request timeout in seconds, also for the wait for a free connection (the SDK's is 600).",
        ),
    ] = None,
    idle_close: Annotated[
        float,
        typer.Option(
            parser=_idle_close,
            metavar="SECONDS|never",
            help="Idle time after which the provider closes a connection. "
            "0: as soon as all is idle, without waiting on a clock.",
        ),
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the order in which sessions are served.")] = 0,
    max_payload: Annotated[int, typer.Option(min=1, max=2**40, metavar="BYTES", help="Largest payload taken.")] = 32
    * 2**20,
    factory: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            show_default=False,
            help=f"Instead of our strategies your own, closed after each turn unless --release says otherwise. {KINDS}",
        ),
    ] = None,
    cwd: Cwd = None,
    env: Env = None,
    python: Python = sys.executable,
    backend: Annotated[
        Literal["auto", "sock_diag", "psutil"], typer.Option(help="Where socket tables come from.")
    ] = "auto",
    start: Annotated[
        Literal["auto", "fork", "spawn"],
        typer.Option(
            help="How each cell gets its process: forked from one interpreter (auto on Linux), "
            "or an interpreter of its own (auto elsewhere; slower)."
        ),
    ] = "auto",
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=VALUE][:KEY=VALUE]...",
            show_default=False,
            help="A fault of the provider, see `hermes-diag faults`: one more dimension. Repeatable.",
        ),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[,NAME]...|all|list",
            show_default=False,
            help="Instead of the matrix: named scenarios, each on a client that shows it and on one that does not.",
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default=False, help="Write the evidence as JSON Lines, as it happens."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Let --save overwrite.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="One row per turn.")] = False,
) -> None:
    """Reproduce the shared-transport bug on real sockets, and prove the fix on the same load.

    Runs offline: each cell (strategy x release x workload) is a process of its own that talks to a
    provider on 127.0.0.1, and is judged by what its sockets do. Exit code 0 when all is as the bug
    report predicts, 1 when a cell is not, 3 when it could not be measured.
    """
    from hermes_diag import judge, plan, run, scenarios
    from hermes_diag import payload as payloads
    from hermes_diag.capture import Capture, create
    from hermes_diag.cli import output, target
    from hermes_diag.cli import scenario as scenario_cli
    from hermes_diag.errors import UsageError
    from hermes_diag.reporters.live import Progress

    if scenario == ["list"]:
        scenario_cli.show_list(json)
    body = payloads.load(payload, max_payload)
    for spec in fault or ():
        target.check_fault(spec)
    sizes = plan.Sizes(sessions, turns, scope, retries, timeout, None if idle_close < 0 else idle_close, seed)
    releases, workloads = _values(release), _values(workload)
    faults = tuple(dict.fromkeys(fault or ()))
    where = target.make(python, cwd, env)
    if factory is None:
        plan_ = plan.make(body.info, _values(strategy), releases, workloads, sizes, faults)
    else:
        if strategy or scenario:
            raise UsageError("--factory goes with neither --strategy nor --scenario", "leave one of them out")
        target.check_spec(factory, cwd)
        plan_ = plan.for_factory(body.info, factory, releases, workloads, sizes, faults)
    if scenario:
        plan_ = scenarios.plan(body.info, scenarios.choose(scenario))
    with ExitStack() as stack:
        capture = Capture(stack.enter_context(create(save, force)), plan_) if save else None
        progress = stack.enter_context(Progress(plan_, output.progress_console()))
        run_ = run.Run(plan_, body.wire, where, capture, progress, backend, start)
        interrupted = not run.finish(run_)
    saved = f"evidence written to {save}" if save else ""
    if capture and capture.failure:
        saved = f"evidence could not be written to {save}: {capture.failure}"
    if scenario:
        scenario_cli.show(run_.evidence(), json, interrupted, saved)
    output.show(judge.report(plan_, run_.evidence()), json, verbose, interrupted, saved)
