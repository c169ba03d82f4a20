"""--base-python, and how it is said that an environment is being made: what `hermes`, `matrix` and `bisect` share."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Annotated

import typer

from hermes_diag.cli.terminal import say
from hermes_diag.core.errors import HermesDiagError, UsageError

if TYPE_CHECKING:
    from hermes_diag.run.environments.wanted import Ready, Wanted

BasePython = Annotated[
    str | None,
    typer.Option(
        metavar="PYTHON",
        show_default="this one",
        help="Interpreter that environments are made with, for a Hermes that needs another Python.",
    ),
]
#: Environments that are made at the same time.
_TOGETHER = 2


def refuse_idle_base(wanted: Sequence[Wanted], base_python: str | None) -> None:
    """Raises UsageError where no environment is made, so that it does not matter with which Python."""
    if base_python and all(one.python for one in wanted):
        raise UsageError("--base-python has no effect on a Python, which is used as it is", "leave one of them out")


def make_all(wanted: Sequence[Wanted], base_python: str | None) -> list[Ready | HermesDiagError]:
    """The environments of all targets, two at a time; in the place of one that cannot be had why.

    Raises KeyboardInterrupt, when every installer has been ended. In threads, where no interrupt can come between the
    start of an installer and the line that would end it.
    """
    from hermes_diag.run.environments.installer import Installer
    from hermes_diag.run.environments.wanted import ready

    stop = threading.Event()

    def made(one: Wanted) -> Ready | HermesDiagError:
        try:
            return ready(one, base_python or sys.executable, Installer(say, stop))
        except HermesDiagError as exc:
            return exc

    with ThreadPoolExecutor(_TOGETHER) as pool:
        try:
            futures = [pool.submit(made, one) for one in wanted]
            while wait(futures, timeout=0.5).not_done:
                pass
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return [one.result() for one in futures]


def make_one(wanted: Wanted, base_python: str | None) -> Ready | HermesDiagError:
    """The environment of one target, or why it cannot be had. Raises KeyboardInterrupt."""
    return make_all([wanted], base_python)[0]


def interpreter(given: str, base_python: str | None) -> str:
    """The Python of a Hermes that the command line names; its environment is made if there is none yet.

    Raises UsageError, CannotMeasure, KeyboardInterrupt.
    """
    from hermes_diag.run.environments import wanted

    asked = wanted.hermes(given)
    refuse_idle_base([asked], base_python)
    try:
        made = make_one(asked, base_python)
    except KeyboardInterrupt:
        say("interrupted: nothing half-made is left")
        raise
    if isinstance(made, HermesDiagError):
        raise made
    return made.python
