"""`hermes-diag repro`: reproduce the bug, prove the fix."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hermes_diag.cli.target import KINDS, Cwd, Env, Python
from hermes_diag.core.errors import UsageError
from hermes_diag.core.text import did_you_mean, quoted

if TYPE_CHECKING:
    from hermes_diag.run.payload import Payload

EXAMPLES = """\b
Examples:
  hermes-diag repro
  hermes-diag repro --strategy buggy --end close --workload steady --retries 3 -v
  hermes-diag repro request_dump_20261101_080000_000000.json --save run.jsonl
  hermes-diag repro --last-dump --strategy buggy --workload steady
  hermes-diag repro --json | jq .verdict
  hermes-diag repro --fault fin-mid-stream:every=3 --strategy fixed --end close --retries 1
  hermes-diag repro --factory ./clients.py:make_client --python .venv/bin/python
  hermes-diag repro --scenario cut-stream,half-open-reused
  hermes-diag repro --last-dump --endpoint https://chatgpt.com/backend-api/codex --live --codex-auth hermes
  hermes-diag repro --hermes 0.19.0
  hermes-diag repro --strategy hermes --python ~/.hermes/venv/bin/python --workload aborted
"""


# typer takes a Literal for one value, but for a repeatable option only an Enum.
class End(str, Enum):
    close = "close"
    abandon = "abandon"


def _values(chosen: Sequence[Enum] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.value for one in chosen or ()))


def _names(option: str, chosen: Sequence[str] | None, known: Collection[str]) -> tuple[str, ...]:
    for name in chosen or ():
        if name not in known:
            raise UsageError(f"{option} {quoted(name)}: there is none of that name", did_you_mean(name, known))
    return tuple(dict.fromkeys(chosen or ()))


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


def _payloads(paths: list[Path], last_dump: bool, profile: str | None, limit: int) -> tuple[Payload, ...]:
    """What the command line names. Raises UsageError."""
    from hermes_diag.run import payload

    if not last_dump:
        return payload.load_all(paths, limit)
    if paths:
        raise UsageError("--last-dump and a named payload exclude each other", "give one of them")
    from hermes_diag.hermes import home

    return (payload.load_dump(home.last_dump(home.home(), profile), limit),)


def command(
    context: typer.Context,
    payload: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PAYLOAD]...",
            show_default=False,
            help="JSON file with a Responses or Chat Completions body, or a Hermes request dump; of several, "
            "each runs through every cell. Without one a tiny built-in prompt.",
        ),
    ] = None,
    last_dump: Annotated[
        bool, typer.Option("--last-dump", help="Replay the newest request dump of the Hermes home.")
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", show_default=False, help="With --last-dump or --codex-auth hermes: of this profile."
        ),
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            show_default="buggy and fixed",
            help="Only this strategy (buggy, fixed, plain); hermes is the real Hermes Agent of --python. Repeatable.",
        ),
    ] = None,
    end: Annotated[
        list[End] | None,
        typer.Option(show_default="all", help="Only this end of a turn: close the request client, or abandon it."),
    ] = None,
    workload: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            show_default="all",
            help="Only this workload (steady, interrupted, overlapping); aborted is for hermes alone. Repeatable.",
        ),
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
    mutate: Annotated[
        bool,
        typer.Option("--mutate", help="With --strategy hermes: put the historic mutation back, in memory only."),
    ] = False,
    hermes: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            show_default=False,
            help="Drive that release of Hermes Agent, in an environment made for it and kept in the user's cache.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the order in which sessions are served.")] = 0,
    max_payload: Annotated[int, typer.Option(min=1, max=2**40, metavar="BYTES", help="Largest payload taken.")] = 32
    * 2**20,
    factory: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            show_default=False,
            help=f"Instead of our strategies your own, closed after each turn unless --end says otherwise. {KINDS}",
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
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            show_default=False,
            help="Instead of our own provider: replay against this one, a fresh process once and a small loop.",
        ),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Let --endpoint be the real one: real requests, real credentials.")
    ] = False,
    max_requests: Annotated[
        int, typer.Option(min=1, max=200, help="With --endpoint: no more requests than this leave.")
    ] = 20,
    api_key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", show_default=False, help="With --endpoint: the variable that holds the key."),
    ] = None,
    codex_auth: Annotated[
        Literal["hermes", "codex"] | None,
        typer.Option(
            show_default=False, help="With --endpoint: the ChatGPT token of Hermes or of the Codex CLI; only read."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --live: do not ask.")] = False,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default=False, help="Write the evidence as JSON Lines, as it happens."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Let --save overwrite.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="One row per turn.")] = False,
) -> None:
    """Reproduce the shared-transport bug on real sockets, and prove the fix on the same load.

    Each cell (strategy x end of a turn x workload) is a process of its own that talks to a provider on
    127.0.0.1, and is judged by what its sockets do. Nothing leaves this machine, unless --endpoint and
    --live say so. Exit code 0 when all is as the bug report predicts, 1 when a cell is not, 3 when it
    could not be measured.
    """
    from hermes_diag.cli import hermes as hermes_cli
    from hermes_diag.cli import live as live_cli
    from hermes_diag.cli import output, target
    from hermes_diag.cli import scenario as scenario_cli
    from hermes_diag.core import matrix
    from hermes_diag.hermes import cells as hermes_cells
    from hermes_diag.judge import scenarios, verdicts
    from hermes_diag.run import lanes, runner
    from hermes_diag.worker.contract import HERMES

    if scenario is not None:
        scenario_cli.refuse_what_shapes_the_matrix(context)
    if scenario == ["list"]:
        scenario_cli.show_list(json)
    if profile is not None and not last_dump and codex_auth != "hermes":
        raise UsageError("--profile needs --last-dump or --codex-auth hermes", "add one of them")
    bodies = _payloads(payload or [], last_dump, profile, max_payload)
    body = bodies[0]
    for spec in fault or ():
        target.check_fault(spec)
    sizes = matrix.Sizes(sessions, turns, scope, retries, timeout, None if idle_close < 0 else idle_close, seed)
    strategies = _names("--strategy", strategy, (*matrix.STRATEGIES, HERMES))
    workloads = _names("--workload", workload, dict.fromkeys((*matrix.WORKLOADS, *hermes_cells.WORKLOADS)))
    dimensions = strategies, _values(end), workloads
    if hermes:
        python = hermes_cli.interpreter(hermes, python)
    where = target.make(python, cwd, env)
    to = live_cli.Asked(endpoint, live, yes, max_requests, api_key_env, codex_auth, profile)
    if to.any:
        if fault or scenario or idle_close:
            raise UsageError("--fault, --scenario and --idle-close are of our own provider", "leave out --endpoint")
        if factory is not None or hermes or HERMES in strategies:
            raise UsageError("only our own strategies are sent to an --endpoint", "leave out --factory and --hermes")
        live_cli.replay(to, bodies, dimensions, sizes, where, backend, save, force, json, verbose)
    faults = tuple(dict.fromkeys(fault or ()))
    further = tuple(one.info for one in bodies[1:])
    if factory is None:
        idle = [name for name, given in (("PAYLOAD", payload), ("--scope", scope), ("--timeout", timeout)) if given]
        asked = hermes_cli.Asked(*dimensions, sizes, faults, mutate, hermes or "", idle)
        plan_ = hermes_cli.plan(asked, body.info, further)
    else:
        if strategy or scenario or hermes:
            raise UsageError("--factory goes with no --strategy, --scenario or --hermes", "leave one of them out")
        if not set(workloads) <= set(matrix.WORKLOADS):
            raise UsageError("--workload aborted is for the real Hermes Agent", "leave it out with --factory")
        target.check_spec(factory, cwd)
        plan_ = matrix.for_factory(body.info, factory, *dimensions[1:], sizes, faults, further)
    if scenario is not None:
        if len(bodies) > 1:
            raise UsageError("--scenario replays one payload", "name one file")
        plan_ = scenarios.plan(body.info, scenarios.choose(scenario))
    run_, interrupted, saved = output.carry_out(
        plan_,
        save,
        force,
        lambda capture, progress: runner.Runner(
            plan_, [one.wire for one in bodies], lanes.interpreters(where, start), capture, progress, backend
        ),
    )
    if scenario:
        scenario_cli.show(run_.evidence(), json, interrupted, saved)
    output.show(verdicts.report(plan_, run_.evidence()), json, verbose, interrupted, saved)
