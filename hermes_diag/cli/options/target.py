"""--base-python, and how it is said that an environment is being made: what `hermes`, `matrix` and `bisect` share."""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated

import typer

BasePython = Annotated[
    str | None,
    typer.Option(
        metavar="PYTHON",
        show_default="this one",
        help="Interpreter that environments are made with, for a Hermes that needs another Python.",
    ),
]


def say(text: str) -> None:
    """A line of progress on stderr, where there is one; also without a terminal: installing takes minutes."""
    from hermes_diag.core.text import one_line

    with contextlib.suppress(OSError):
        sys.stderr.write(f"{one_line(text)}\n")
        sys.stderr.flush()


def interpreter(given: str, base_python: str | None) -> str:
    """The Python of a Hermes that the command line names; its environment is made if there is none yet.

    Raises UsageError, CannotMeasure, KeyboardInterrupt.
    """
    from hermes_diag.run.environments import wanted

    try:
        return wanted.interpreter(given, base_python or sys.executable, say)
    except KeyboardInterrupt:
        say("interrupted: nothing half-made is left")
        raise
