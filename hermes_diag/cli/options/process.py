"""Which live process a command line means: a PID, or the running Hermes gateway."""

from __future__ import annotations

import sys
from typing import Any

from hermes_diag.cli.terminal import ask, say
from hermes_diag.core.errors import UsageError


def target(process: str | None, pid: str | None, gateway: bool, profile: str | None) -> int:
    """The process that is meant. Raises UsageError, CannotMeasure."""
    given = [one for one in (process, pid) if one is not None]
    if len(given) + gateway != 1:
        if not given:
            raise UsageError("which process?", "give a PID, or --gateway for the running Hermes gateway")
        raise UsageError("more than one process is named", "give one PID, or --pid, or --gateway")
    if not gateway:
        return _number(given[0])
    from hermes_diag.hermes import home

    return _ask(home.gateways(home.home(), profile))


def _number(text: str) -> int:
    from hermes_diag.core.text import quoted

    digits = text.removeprefix("-")  # a negative one is refused by who looks at the process
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise UsageError(f"{quoted(text)} is no process number", "`ps -A` lists them, or use --gateway")
    return int(text)


def _ask(found: Any) -> int:
    """The only gateway; of several the one that the user names, if there is a user."""
    from hermes_diag.hermes import home

    if len(found) > 1 and sys.stdin.isatty() and sys.stderr.isatty():
        for number, one in enumerate(found, start=1):
            say(f"{number}  process {one.pid} ({home.named(one)})")
        answer = ask(f"which gateway? [1-{len(found)}]")
        if answer.isdecimal() and 1 <= int(answer) <= len(found):
            return int(found[int(answer) - 1].pid)
    chosen = home.choose(found)
    if not chosen.checked:
        say("hermes-diag: gateway.pid was written by an old release and has no start time to check")
    return chosen.pid
