"""The command line: one thin module per command, and the border at which errors become words."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from hermes_diag import __version__
from hermes_diag.cli import faults, report, repro, serve
from hermes_diag.errors import COULD_NOT_MEASURE, INTERRUPTED, HermesDiagError

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


def main() -> None:
    """Entry point: exits with the code that `errors` documents, never with a traceback."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader has left (`| head`). Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(COULD_NOT_MEASURE)
    except HermesDiagError as exc:
        _say(exc.message, exc.hint)
        sys.exit(exc.exit_code)
    except KeyboardInterrupt:
        _say("interrupted")
        sys.exit(INTERRUPTED)
    except Exception as exc:
        if os.environ.get("HERMES_DIAG_DEBUG"):
            raise
        last = exc.__traceback__
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        where = f"{os.path.basename(last.tb_frame.f_code.co_filename)}:{last.tb_lineno}" if last else "?"
        _say(f"internal error: {type(exc).__name__} at {where}", "set HERMES_DIAG_DEBUG=1 for the traceback")
        sys.exit(COULD_NOT_MEASURE)


def _say(message: str, hint: str = "") -> None:
    sys.stderr.write(f"hermes-diag: {message}\n" + (f"  {hint}\n" if hint else ""))
