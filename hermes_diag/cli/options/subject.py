"""SPEC, --python, --cwd and --env: what is put to the test, and in which interpreter."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hermes_diag.cli.options import complete
from hermes_diag.core.errors import UsageError
from hermes_diag.core.text import quoted

if TYPE_CHECKING:
    from hermes_diag.run.interpreter import Target

#: What a factory may be, for the help.
KINDS = (
    "package.module:name or ./file.py:name: a callable that takes client_kwargs and returns a client, a class with "
    "acquire, release and close, or an OpenAI or AsyncOpenAI instance."
)
_OR_TURN = f"{KINDS[:-1]}; or a turn(base_url, session) of your own, which sends its requests itself."
Spec = Annotated[str, typer.Argument(metavar="SPEC", show_default=False, help=_OR_TURN)]
Cwd = Annotated[
    Path | None, typer.Option(metavar="DIR", show_default="here", help="Folder in which the factory is imported.")
]
Env = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[=VALUE]", show_default=False, help="A variable for the factory; NAME passes yours on. Repeatable."
    ),
]
Python = Annotated[
    str,
    typer.Option(
        metavar="PATH",
        show_default="this one",
        help="Interpreter whose SDK is put to the test, or the folder of its virtualenv.",
    ),
]
Expect = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[=VALUE]",
        show_default=False,
        autocompletion=complete.expectations,
        help="What the client is meant to have, see docs/audit.md: timeout, limits, keepalive, proxy, retries, "
        "separate, sdk-defaults. Repeatable.",
    ),
]
Patience = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        show_default="10s; 60s for an import",
        help="Time for a call of your code, or its import, until it counts as hanging.",
    ),
]
_SPEC = "write package.module:name or ./file.py:name"
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def target(python: str, cwd: Path | None, env: Iterable[str] | None) -> Target:
    """The target that the options name. Raises UsageError, CannotMeasure."""
    if cwd is not None and not cwd.is_dir():
        raise UsageError(f"--cwd {cwd}: there is no such folder", "name the folder that your package is in")
    from hermes_diag.run import pythons
    from hermes_diag.run.interpreter import Target

    found = pythons.resolve(python)
    if cwd is not None and os.sep in found:
        # From --cwd a relative path would lead elsewhere. Not resolve(): a virtualenv's interpreter is a link.
        found = os.path.abspath(found)
    variables: dict[str, str] = {}
    for name, value in map(_variable, env or ()):
        if variables.setdefault(name, value) != value:
            raise UsageError(f"--env {name} is given twice", "give it once")
    return Target(found, cwd, variables)


def patience(given: str | None) -> float | None:
    """Seconds of --patience, None without it. Raises UsageError."""
    from hermes_diag.core import units

    return None if given is None else units.time("--patience", given, least=0.1, most=3600)


def _variable(text: str) -> tuple[str, str]:
    """NAME=VALUE, or NAME alone for the value it has here. The value is never shown."""
    name, given, value = text.partition("=")
    if not name or "\0" in text:
        raise UsageError("--env: a variable has no name", "write --env NAME=VALUE, or --env NAME to pass yours on")
    if given:
        return name, value
    if name not in os.environ:
        raise UsageError(f"--env {name}: it is not set here", f"write --env {name}=VALUE")
    return name, os.environ[name]


def refuse_idle(cwd: object, env: object) -> None:
    """For a strategy of ours: refuse options that only a factory of the user's heeds. Raises UsageError."""
    given = [name for name, value in (("--cwd", cwd), ("--env", env)) if value]
    if given:
        raise UsageError(f"{' and '.join(given)}: no effect on a strategy of ours", "name a factory of your own")


def check_spec(spec: str, cwd: Path | None) -> None:
    """Refuse what cannot name a factory. Raises UsageError."""
    place, colon, name = spec.rpartition(":")
    said = spec if spec.isprintable() and len(spec) <= 200 else quoted(spec)
    if not colon or not place or not _MODULE.fullmatch(name):
        raise UsageError(f"{quoted(spec)} names no factory", _SPEC)
    if place.endswith(".py"):
        try:
            there = (cwd or Path()).joinpath(place).is_file()
        except OSError as exc:
            raise UsageError(f"{said}: {exc.strerror}", "name a file that you may read") from None
        if not there:
            raise UsageError(f"{said}: there is no file {place}", "paths count from --cwd, or from here")
    elif not _MODULE.fullmatch(place):
        raise UsageError(f"{said}: {quoted(place)} is neither a module nor a .py file", _SPEC)
