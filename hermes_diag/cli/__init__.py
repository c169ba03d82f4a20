"""The command line: one thin module per command, and the border at which errors become words."""

from __future__ import annotations

import os
import sys
from typing import Any

from hermes_diag.errors import COULD_NOT_MEASURE, INTERRUPTED, HermesDiagError


def main() -> None:
    """Entry point: exits with the code that `errors` documents, never with a traceback."""
    try:
        try:
            _run()
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


def _run() -> None:
    if sys.argv[1:2] == ["sockets"]:  # it answers before typer would be imported
        from hermes_diag.cli import sockets

        sys.exit(sockets.main(sys.argv[2:]))
    from hermes_diag.cli.commands import app

    app()


def __getattr__(name: str) -> Any:
    if name == "app":  # imported only by who asks for it: typer is slow to import
        from hermes_diag.cli.commands import app

        return app
    raise AttributeError(name)


def _say(message: str, hint: str = "") -> None:
    sys.stderr.write(f"hermes-diag: {message}\n" + (f"  {hint}\n" if hint else ""))
