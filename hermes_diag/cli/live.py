"""`hermes-diag live`: does it happen on the real endpoint? What is asked before anything is sent."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from hermes_diag.cli.options import complete, load
from hermes_diag.cli.options.load import Payloads, Retries, Strategies
from hermes_diag.cli.options.output import Output, reporting
from hermes_diag.cli.options.subject import Python
from hermes_diag.cli.options.tuning import Set

if TYPE_CHECKING:
    from hermes_diag.core.matrix import Sizes
    from hermes_diag.core.plan import Plan
    from hermes_diag.run.credentials import Credentials
    from hermes_diag.run.endpoint import Endpoint
    from hermes_diag.run.payload import Payload

#: The values of a repeatable option.
Given = Sequence[str] | None

EXAMPLES = """
  hermes-diag live https://chatgpt.com/backend-api/codex last-dump --live --auth hermes
  hermes-diag live https://api.openai.com/v1 --live --auth env:OPENAI_API_KEY --max-requests 10
  hermes-diag live http://127.0.0.1:8080/v1 --strategy fixed
"""


Url = Annotated[str, typer.Argument(metavar="URL", show_default=False, help="The base URL, as the SDK takes it.")]
Live = Annotated[bool, typer.Option("--live", help="Let URL be a real endpoint: real requests, real credentials.")]
Auth = Annotated[
    str | None,
    typer.Option(
        metavar="env:NAME|hermes[:PROFILE]|codex",
        show_default=False,
        autocompletion=complete.auth,
        help="Whose token: the key in a variable, or the ChatGPT token of Hermes or of the Codex CLI; only read.",
    ),
]
MaxRequests = Annotated[int, typer.Option(metavar="N", min=1, max=200, help="No more requests than this leave.")]
Ends = Annotated[list[str] | None, load.end_option("close")]
Workloads = Annotated[list[str] | None, load.workload_option("steady")]
Sessions = Annotated[int | None, load.sessions_option("2")]
Turns = Annotated[int | None, load.turns_option("3")]
Timeout = Annotated[str | None, load.timeout_option("60s; 1s for a free connection")]
Yes = Annotated[bool, typer.Option("--yes", help="With --live: do not ask before sending.")]


@reporting()
def command(
    url: Url,
    payload: Payloads = None,
    live: Live = False,
    auth: Auth = None,
    max_requests: MaxRequests = 20,
    yes: Yes = False,
    strategy: Strategies = None,
    end: Ends = None,
    workload: Workloads = None,
    sessions: Sessions = None,
    turns: Turns = None,
    retries: Retries = 0,
    timeout: Timeout = None,
    python: Python = sys.executable,
    set_: Set = None,
    *,
    output: Output,
) -> int:
    """Replay against the endpoint that failed: a fresh process once, then a small gateway loop.

    Says first how many requests go where with whose token, and asks. Without --live nothing leaves this machine.
    Exit codes as in repro.
    """
    from hermes_diag.cli.options import tuning
    from hermes_diag.run import endpoint

    tuned = tuning.parse(set_, ("scope", "seed", "backend", "max-payload"))
    where = endpoint.parse(url)
    _check(where, live, auth, yes)
    bodies = load.payloads(payload, tuned.max_payload)
    sizes = load.sizes(sessions, turns, retries, timeout, tuned)
    plan = _plan(bodies, where, sizes, strategy, end, workload)
    endpoint.fit(plan, max_requests)
    whose = _confirmed(plan, where, auth, ask=not yes) if live else _credentials(auth)
    return _replay(plan, [endpoint.wire(body, whose) for body in bodies], where, python, tuned.backend, output)


def _plan(
    bodies: Sequence[Payload], where: Endpoint, sizes: Sizes, strategy: Given, end: Given, workload: Given
) -> Plan:
    """The cells that the options ask for. Raises UsageError."""
    from hermes_diag.core import matrix
    from hermes_diag.run import endpoint

    strategies = load.chosen("--strategy", strategy, matrix.STRATEGIES)
    workloads = load.chosen("--workload", workload, matrix.WORKLOADS)
    return endpoint.plan(bodies, where, strategies, load.chosen("--end", end, matrix.ENDS), workloads, sizes)


def _replay(plan: Plan, wires: Sequence[bytes], where: Endpoint, python: str, backend: str, output: Output) -> int:
    """Look the host up, and send; the exit code."""
    from hermes_diag.cli import outcome
    from hermes_diag.cli.options import subject
    from hermes_diag.run import endpoint, lanes
    from hermes_diag.run.runner import Runner

    source = lanes.Spawned(subject.target(python, None, None), lanes=1)
    resolved = endpoint.resolve(where)
    return outcome.carry_out(
        plan, lambda capture, progress: Runner(plan, wires, source, capture, progress, backend, resolved), output
    )


def _check(where: Endpoint, live: bool, auth: str | None, yes: bool) -> None:
    """Refuse what must not be sent. Nothing is looked up, no token is read. Raises UsageError."""
    from hermes_diag.core.errors import UsageError

    if not live and not where.loopback:
        raise UsageError(
            f"{where.netloc} is not on loopback, and without --live nothing leaves this machine",
            "add --live to send real requests with real credentials",
        )
    if yes and not live:
        raise UsageError("--yes has no effect without --live: nothing is asked", "leave it out")
    if live and auth is None:
        raise UsageError("--live needs credentials", "add --auth env:NAME, --auth hermes or --auth codex")
    if live and not yes and not sys.stdin.isatty():
        raise UsageError("--live asks before it sends, and there is no terminal to ask on", "add --yes")


def _credentials(auth: str | None) -> Credentials | None:
    """The token to use, if any. What was given is not quoted: it may be a key. Raises UsageError, CannotMeasure."""
    from hermes_diag.core.errors import UsageError
    from hermes_diag.run import credentials

    if auth is None:
        return None
    kind, colon, rest = auth.partition(":")
    if kind == "env" and rest:
        return credentials.from_environment(rest)
    if kind == "hermes" and (rest or not colon):
        return credentials.of_codex("hermes", rest or None)
    if auth == "codex":
        return credentials.of_codex("codex")
    raise UsageError("--auth names no token", "write env:NAME (a variable's name), hermes, hermes:PROFILE or codex")


def _confirmed(plan: Plan, where: Endpoint, auth: str | None, ask: bool) -> Credentials | None:
    """The token, after stderr has said what is about to be sent, and the user has agreed. Raises UsageError on a no."""
    from hermes_diag.core.errors import UsageError

    whose = _credentials(auth)
    sys.stderr.write("".join(f"{line}\n" for line in _announced(plan, where, whose)))
    if ask:
        sys.stderr.write("Send them? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline(100).strip().lower() not in ("y", "yes"):
            raise UsageError("not sent")
    return whose


def _announced(plan: Plan, where: Endpoint, whose: Credentials | None) -> Iterator[str]:
    from hermes_diag.run import endpoint

    count = sum(map(endpoint.requests, plan.cells))
    targets = ", ".join(dict.fromkeys(cell.endpoint for cell in plan.cells))
    yield f"up to {count} requests, one after another, POST to {targets}"
    if whose is not None:
        yield f"with {whose.owner}" + (f", which {whose.expiry}" if whose.expiry else "")
        if whose.meant_for and whose.meant_for != where.host:
            yield f"NOTE: that token is meant for {whose.meant_for}, and {where.host} will get to see it"
    # Proxies are left out of the worker's environment, here as everywhere.
    proxies = sorted(name for name in os.environ if name.upper().endswith("_PROXY") and name.upper() != "NO_PROXY")
    if proxies:
        yield f"{', '.join(proxies)} set, but not used: the connection is direct"
