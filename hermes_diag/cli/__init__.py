"""The command line: one thin module per command, and the border at which errors become words."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Sequence

from hermes_diag.cli import failing
from hermes_diag.core import interrupts
from hermes_diag.core.errors import (
    COULD_NOT_MEASURE,
    INTERRUPTED,
    OK,
    HermesDiagError,
    UsageError,
    cure,
    lacking,
    little_memory,
)
from hermes_diag.core.pipes import is_gone, swallow
from hermes_diag.core.text import quoted

#: What releases of typer say of a word that is no number.
_NO_INTEGER = re.compile(
    r": (Input should be a valid integer, .*|['\"].* is not a valid int(eger)?( range)?$)", re.DOTALL
)


def main() -> None:
    """One command line: exits with the code that core/errors.py documents, never with a traceback."""
    _repair_standard_streams()
    try:
        code = run(sys.argv[1:])
    except HermesDiagError as exc:
        code = _fail(exc.exit_code, exc.message, exc.hint)
    except KeyboardInterrupt:
        code = _fail(INTERRUPTED, "interrupted")
    except EOFError:  # a full disk has cut off what Python compiles as it imports
        said = "a compiled file of Python is cut off"
        code = _fail(COULD_NOT_MEASURE, said, "remove the folders __pycache__ of this installation, or reinstall it")
    except BrokenPipeError:  # the reader has left (`| head`) before there was anything to judge
        code = COULD_NOT_MEASURE
    except Exception as exc:
        code = _told(exc)
    sys.exit(_flushed(code))


def _told(exc: Exception) -> int:
    """Words for an exception that is none of ours; its exit code."""
    if _of_an_interrupt(exc):
        return _fail(INTERRUPTED, "interrupted")
    if lacks := lacking(exc):
        return _fail(lacks.exit_code, lacks.message, lacks.hint)
    if isinstance(exc, OSError):
        named = f": {quoted(exc.filename)}" if isinstance(exc.filename, str) else ""
        said = f"the system refused: {exc.strerror or type(exc).__name__}{named}"
        return _fail(COULD_NOT_MEASURE, said, cure(exc))
    if os.environ.get("HERMES_DIAG_DEBUG"):
        raise exc
    if little := little_memory():
        return _fail(COULD_NOT_MEASURE, "could not go on", little)
    said = f"internal error: {type(exc).__name__} at {_place(exc)}"
    return _fail(COULD_NOT_MEASURE, said, "set HERMES_DIAG_DEBUG=1 for the traceback")


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code. Raises HermesDiagError."""
    import typer

    from hermes_diag.cli.app import COMPLETES, build

    if any("\0" in word for word in arguments):
        raise UsageError("a word of the command line has a NUL in it", "no path and no name can have one")

    refused: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
    app = build(arguments)
    interrupts.raised()  # all end like Ctrl-C: nothing of ours stays behind
    if COMPLETES in os.environ:  # a shell asks for words
        app(list(arguments), prog_name="hermes-diag")
    try:
        command = typer.main.get_command(app)
        # Not its main(): that makes exit codes of interrupts and of pipes without a reader, without a word.
        with command.make_context("hermes-diag", list(arguments)) as context:
            code = command.invoke(context)
    except refused as exc:
        raise _usage_error(exc) from None
    except typer.Exit as exc:
        code = exc.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    return code if isinstance(code, int) else OK


def _usage_error(exc: BaseException) -> UsageError:
    """What the parser refuses, in the shape of all our errors."""
    message = exc.format_message() if hasattr(exc, "format_message") else str(exc)
    context = getattr(exc, "ctx", None)
    command = context.command_path if context is not None else "hermes-diag"
    message = _NO_INTEGER.sub(": it is to be a whole number", message.rstrip(".")).replace("Input should", "it is to")
    return UsageError(message if len(message) <= 200 else f"{message[:200]}...", f"{command} --help")


def _repair_standard_streams() -> None:
    """A closed descriptor would be taken by the next pipe, and a strict encoding would break a report."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free descriptor, which is this one. Writing to stdout fails: the report would be lost unseen.
            os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_RDWR)
            setattr(sys, name, os.fdopen(number, mode, closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _flushed(code: int) -> int:
    """Flush what is left now: at exit Python would complain, and change the exit code."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError as exc:
            gone = is_gone(exc, number)
            swallow(number)
            if number == 1 and not gone:
                said = f"cannot write to stdout: {exc.strerror}"
                code = failing.tell(COULD_NOT_MEASURE, said, cure(exc, "is the disk full?"))
    return code


def _place(exc: Exception) -> str:
    last = exc.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return f"{os.path.basename(last.tb_frame.f_code.co_filename)}:{last.tb_lineno}" if last else "?"


def _of_an_interrupt(error: BaseException | None) -> bool:
    """Before Python 3.12 one that comes while a class is being made (__set_name__) is made a RuntimeError."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _fail(code: int, message: str, hint: str = "") -> int:
    return failing.tell(code, message, hint, sys.argv[1:])
