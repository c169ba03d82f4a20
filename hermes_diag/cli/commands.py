"""The commands that typer parses, and the list of all commands in `--help`."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

import typer

from hermes_diag import __version__
from hermes_diag.cli import audit, check, faults, report, repro, serve, sockets

app = typer.Typer(
    name="hermes-diag",
    help="Reproduce, observe and guard against HTTP client lifecycle failures in long-running OpenAI programs.",
    epilog="Exit codes: 0 clean or as expected, 1 a problem was found, 2 wrong usage, 3 could not measure.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help wraps at any width, and starts faster
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("repro", epilog=repro.EXAMPLES)(repro.command)
app.command("audit", epilog=audit.EXAMPLES)(audit.command)
app.command("check", epilog=check.EXAMPLES)(check.command)
app.command("report", epilog=report.EXAMPLES)(report.command)
app.command("serve", epilog=serve.EXAMPLES)(serve.command)
app.command("faults", epilog=faults.EXAMPLES)(faults.command)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"hermes-diag {__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Reproduce, observe and guard against HTTP client lifecycle failures in long-running OpenAI programs."""


def _options(actions: Iterable[argparse.Action]) -> Iterator[tuple[argparse.Action, inspect.Parameter]]:
    """Options of an argparse parser as parameters that typer understands, so that a shell can complete them."""
    for action in actions:
        if action.dest == "help":
            continue
        kind: Any = bool if action.nargs == 0 else str
        if action.choices:
            kind = Literal[tuple(action.choices)]
        if isinstance(action.default, list):
            kind = list[kind]
        metavar = action.metavar if isinstance(action.metavar, str) else None
        option = typer.Option(*action.option_strings, help=action.help, metavar=metavar, show_default=False)
        yield (
            action,
            inspect.Parameter(
                action.dest,
                inspect.Parameter.KEYWORD_ONLY,
                default=False if kind is bool else None,
                annotation=Annotated[kind if kind is bool else kind | None, option],
            ),
        )


def _sockets(**given: Any) -> None:
    """Only for completion and for the list of commands: `main` calls sockets.main by itself, without typer."""
    arguments: list[str] = []
    for action, parameter in _SOCKETS:
        value = given[parameter.name]
        for one in value if isinstance(value, list) else [value]:
            if one not in (None, False):
                arguments += [action.option_strings[-1], *([] if one is True else [str(one)])]
    raise typer.Exit(sockets.main(arguments))


_SOCKETS = list(_options(sockets.parser()._actions))
_sockets.__signature__ = inspect.Signature([one for _, one in _SOCKETS])  # type: ignore[attr-defined]
_sockets.__annotations__ = {one.name: one.annotation for _, one in _SOCKETS}
app.command("sockets", help=sockets.SUMMARY, epilog="hermes-diag sockets --help says more.")(_sockets)
