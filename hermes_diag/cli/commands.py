"""The commands that typer parses, and the list of all commands in `--help`."""

from __future__ import annotations

from typing import Annotated

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


@app.command("sockets", help=sockets.SUMMARY, add_help_option=False, context_settings={"ignore_unknown_options": True})
def _sockets(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    # Only listed here: `main` calls sockets.main by itself, without importing typer.
    raise typer.Exit(sockets.main(arguments or ()))
