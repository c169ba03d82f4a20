"""`hermes-diag repro --endpoint`: what is asked before anything is sent, and the replay itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from hermes_diag.cli import output
from hermes_diag.core import matrix
from hermes_diag.core.errors import UsageError
from hermes_diag.core.plan import Plan
from hermes_diag.judge import verdicts
from hermes_diag.run import endpoint as endpoints
from hermes_diag.run import lanes, runner
from hermes_diag.run.credentials import Credentials, from_environment, of_codex
from hermes_diag.run.endpoint import Endpoint, parse
from hermes_diag.run.interpreter import Target
from hermes_diag.run.payload import Payload


@dataclass(frozen=True)
class Asked:
    """The options of a live replay, as they were given."""

    endpoint: str | None
    live: bool
    yes: bool
    max_requests: int
    api_key_env: str | None
    codex_auth: str | None
    profile: str | None

    @property
    def any(self) -> bool:
        """Whether a live replay was asked for, if only by half."""
        return bool(self.endpoint is not None or self.live or self.yes or self.api_key_env or self.codex_auth)


def check(asked: Asked) -> Endpoint:
    """Where the replay goes. Raises UsageError; nothing is looked up, no token is read."""
    if asked.endpoint is None:
        raise UsageError("--live, --yes, --api-key-env and --codex-auth need --endpoint", "add --endpoint URL")
    where = parse(asked.endpoint)
    if asked.api_key_env is not None and asked.codex_auth is not None:
        raise UsageError("--api-key-env and --codex-auth exclude each other", "give one of them")
    if not asked.live and not where.loopback:
        raise UsageError(
            f"{where.netloc} is not on loopback, and without --live nothing leaves this machine",
            "add --live to send real requests with real credentials",
        )
    if asked.live and asked.api_key_env is None and asked.codex_auth is None:
        raise UsageError("--live needs credentials", "add --api-key-env NAME or --codex-auth hermes|codex")
    if asked.live and not asked.yes and not sys.stdin.isatty():
        raise UsageError("--live asks before it sends, and there is no terminal to ask on", "add --yes")
    return where


def credentials(asked: Asked) -> Credentials | None:
    """The token to use, if any. Raises UsageError, CannotMeasure."""
    if asked.api_key_env is not None:
        return from_environment(asked.api_key_env)
    if asked.codex_auth is not None:
        return of_codex(asked.codex_auth, asked.profile)
    return None


def confirm(asked: Asked, where: Endpoint, plan_: Plan, whose: Credentials | None) -> None:
    """Say on stderr what is about to be sent, and ask when it is a live one. Raises UsageError on a no."""
    if not asked.live:
        return
    count = sum(map(endpoints.requests, plan_.cells))
    targets = ", ".join(dict.fromkeys(cell.endpoint for cell in plan_.cells))
    lines = [f"up to {count} requests, one after another, POST to {targets}", *_said_of(whose, where)]
    # Proxies are left out of the worker's environment, here as everywhere.
    proxies = sorted(name for name in os.environ if name.upper().endswith("_PROXY") and name.upper() != "NO_PROXY")
    if proxies:
        lines.append(f"{', '.join(proxies)} set, but not used: the connection is direct")
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    if asked.yes:
        return
    sys.stderr.write("Send them? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("not sent", "")


def _said_of(whose: Credentials | None, where: Endpoint) -> Sequence[str]:
    if whose is None:
        return ()
    lines = [f"with {whose.owner}" + (f", which {whose.expiry}" if whose.expiry else "")]
    if whose.meant_for and whose.meant_for != where.host:
        lines.append(f"NOTE: that token is meant for {whose.meant_for}, and {where.host} will get to see it")
    return lines


def replay(
    asked: Asked,
    payloads: Sequence[Payload],
    dimensions: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]],
    sizes: matrix.Sizes,
    target: Target,
    backend: str,
    save: Path | None,
    force: bool,
    as_json: bool,
    verbose: bool,
) -> NoReturn:
    """Check, ask, replay, print, leave. Nothing is sent before everything is known to be in order."""
    where = check(asked)
    plan_ = endpoints.plan(payloads, where, *dimensions, sizes)
    endpoints.fit(plan_, asked.max_requests)
    whose = credentials(asked)
    confirm(asked, where, plan_, whose)
    resolved = endpoints.resolve(where)
    wires = [endpoints.wire(one, whose) for one in payloads]
    run_, interrupted, saved = output.carry_out(
        plan_,
        save,
        force,
        lambda capture, progress: runner.Runner(
            plan_, wires, lanes.Spawned(target, lanes=1), capture, progress, backend, resolved
        ),
    )
    output.show(verdicts.report(plan_, run_.evidence()), as_json, verbose, interrupted, saved)
