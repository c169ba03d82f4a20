"""The Typer app: every command in one list, of which only the one that is asked for is imported."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import textwrap
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from hermes_diag import __version__
from hermes_diag.cli.terminal import emit
from hermes_diag.core.errors import UsageError

SUMMARY = "Reproduce, observe and guard against HTTP client lifecycle failures in long-running OpenAI programs."
#: In the order of the help. Each is a module of this package with `command` and `EXAMPLES`.
COMMANDS = (
    "repro", "replay", "audit", "check", "hermes", "matrix", "bisect", "live", "scenarios", "sockets", "logs", "trace",
    "export", "serve", "faults", "report",
)  # fmt: skip
GUIDE = f"""hermes-diag {__version__}: {SUMMARY}

A gateway is sick now
  hermes-diag sockets --gateway         what the running Hermes gateway does with its connections
  hermes-diag sockets 4242              the same for any process, by its PID
  hermes-diag sockets --gateway --watch --duration 10m
                                        is it leaking, what, how fast, how long until it fails
  hermes-diag logs                      what its log says of its clients, and since when
  hermes-diag trace -- hermes gateway run
                                        which line opened what is still open

I have a client factory
  hermes-diag audit ./clients.py:make_client     which promises it breaks, in seconds
  hermes-diag replay ./clients.py:make_client    what its clients do under the load of a gateway

I have a bug report
  hermes-diag repro                     is hermes-agent #11070 true, and does its fix hold
  hermes-diag repro last-dump           the same with the newest request dump of the Hermes home
  hermes-diag scenarios                 which other upstream reports show here
  hermes-diag hermes 0.19.0             what a release of the real Hermes Agent leaves behind
  hermes-diag matrix 0.18.2 0.19.0      the same for several releases, checkouts, SDKs or Pythons in one table
  hermes-diag bisect --good 0.18.2 --bad 0.19.0
                                        the first release, or commit, that shows a finding
  hermes-diag live URL --live           does it happen on the real endpoint

I want it to stay fixed
  hermes-diag check ./clients.py:make_client     for CI: exit code 1 when it is broken again
  @pytest.mark.limit_sockets                     a test fails when it leaves sockets open

hermes-diag --help lists all commands, hermes-diag COMMAND --help explains one, with examples."""


class OnceCommand(TyperCommand):
    """Takes an option that has one value once: of two values the parser would leave out the first in silence."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Raises UsageError."""
        if not ctx.resilient_parsing:  # as when a shell completes
            given = [one for one in self.make_parser(ctx).parse_args(list(args))[2] if one.nargs == 1]
            for one in given:
                if not one.multiple and not getattr(one, "is_flag", False) and given.count(one) > 1:
                    raise UsageError(f"{one.opts[-1]} is given twice", "give it once")
        return super().parse_args(ctx, args)


#: The variable by which a shell asks for the words that may come next.
COMPLETES = "_HERMES_DIAG_COMPLETE"


def build(arguments: Sequence[str] = ()) -> typer.Typer:
    """The app for a command line: with the command it names alone, else with all of them.

    Importing every command takes longer than many of them run.
    """
    columns = max(30, min(shutil.get_terminal_size().columns, 100))
    app = typer.Typer(
        name="hermes-diag",
        help=SUMMARY,
        epilog="Exit codes: 0 clean or as expected, 1 a problem was found, 2 wrong usage, 3 could not measure.",
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help wraps at any width, and starts faster
        context_settings={"help_option_names": ["-h", "--help"], "terminal_width": columns},
    )
    app.callback()(_top)
    asked = arguments[:1] if arguments and arguments[0] in COMMANDS and COMPLETES not in os.environ else COMMANDS
    for name in asked:
        module = importlib.import_module(f"hermes_diag.cli.{name}")
        epilog = _fitted("\b\nExamples:\n" + module.EXAMPLES.strip("\n"), columns - 2)
        context = getattr(module, "CONTEXT", None)
        app.command(name, cls=OnceCommand, epilog=epilog, context_settings=context)(module.command)
    return app


def _fitted(text: str, width: int) -> str:
    """Lines as they are written where they fit; those that do not are wrapped, each by itself."""
    lines = []
    for line in text.splitlines():
        lead = " " * min(4, len(line) - len(line.lstrip()))
        wrapped = textwrap.wrap(
            re.sub(" {5,}", "  ", line.strip()), width, initial_indent=lead, subsequent_indent=lead + "  ",
            break_on_hyphens=False,
        )  # fmt: skip
        lines += wrapped if len(line) > width else [line]
    return "\n".join(lines)


def _show_version(wanted: bool) -> None:
    if wanted:
        emit(f"hermes-diag {__version__}")
        raise typer.Exit


def _top(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        emit(GUIDE)
