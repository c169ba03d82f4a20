"""`hermes-diag trace`: who opened what is still open?"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from hermes_diag.cli.options.output import Output, reporting
from hermes_diag.cli.terminal import emit, say
from hermes_diag.core.errors import OK, UsageError

if TYPE_CHECKING:
    from hermes_diag.watch.opened import Remains

EXAMPLES = """
  hermes-diag trace -- hermes gateway run
  hermes-diag trace -- gunicorn app:application
  hermes-diag trace --fail-on-left -- python script.py
  hermes-diag trace --keep -- pytest -x

\b
While it runs, look at it from another terminal: `hermes-diag sockets PID` then says of each
descriptor which line opened it. Without this command, as in a systemd unit or a container:
  PYTHONPATH=FOLDER python ...     FOLDER as `hermes-diag trace --where` prints it

\b
Exit codes: that of the program. 1 with --fail-on-left when something was left open; 2 wrong usage;
3 when the program ended with 0 and no Python recorded anything.
"""
#: Options behind the program's name are the program's.
CONTEXT = {"allow_interspersed_args": False}

Command = Annotated[
    list[str] | None, typer.Argument(metavar="-- CMD...", show_default=False, help="The program to run.")
]
FailOnLeft = Annotated[
    bool, typer.Option("--fail-on-left", help="Exit with 1 when something was still open at the end.")
]
Keep = Annotated[bool, typer.Option("--keep", help="Keep the boxes, and say where: `sockets --box FILE` reads one.")]
Paths = Annotated[bool, typer.Option("--paths", help="Record whole names of opened files, not only their last part.")]
Where = Annotated[bool, typer.Option("--where", help="Print the folder of the recorder, for PYTHONPATH, and leave.")]


@reporting()
def command(
    program: Command = None,
    fail_on_left: FailOnLeft = False,
    keep: Keep = False,
    paths: Paths = False,
    where: Where = False,
    *,
    output: Output,
) -> int:
    """Run a program and record which line of it opens each socket, pipe, file, event loop and thread.

    Every Python that it starts is recorded, 3.9 and newer. At the end this prints, on stderr, what was still open and
    where it came from; another --format goes to stdout, and the program's own output then to stderr.
    """
    from hermes_diag.cli import telling
    from hermes_diag.core.new_file import NewFile
    from hermes_diag.leakguard import traced
    from hermes_diag.watch import reports
    from hermes_diag.watch.capture import TraceCapture

    if where:
        if program or fail_on_left or keep or paths or output != Output():
            raise UsageError("--where only prints a folder, and runs nothing", "leave the other options out")
        emit(str(traced.RECORDER))
        return OK
    if not program:
        raise UsageError("which program?", "hermes-diag trace -- python script.py")
    _check(program)
    reports_to = telling.report_files(output)
    saved = NewFile(output.save, output.force) if output.save else None
    with ExitStack() as stack:
        capture = TraceCapture(stack.enter_context(saved)) if saved else None
        found, code = _trace(program, paths, keep, output.format != "terminal")
        report = reports.of_trace(found, code, fail_on_left)
        if capture:
            capture.end(report, code, fail_on_left)
    said = [saved.said(capture.failure)] if saved and capture else []
    return telling.tell(report, output, reports_to, said, aside=True)


def _check(program: list[str]) -> None:
    """Say of a Python that it will not load the recorder. Raises UsageError for what cannot be run."""
    from hermes_diag.leakguard import traced

    name = program[0]
    if shutil.which(name) is None:
        if os.path.exists(name):
            raise UsageError(f"{name} is not a program that can be run", f"chmod +x, or: -- python {name}")
        raise UsageError(f"there is no program {name}", "give its path, or look at PATH")
    if why := traced.blind(program):
        say(f"hermes-diag: {why} ignores PYTHONPATH: nothing will be recorded", "  leave that option out")


def _trace(program: list[str], paths: bool, keep: bool, aside: bool) -> tuple[list[Remains], int]:
    """Run the program; what its processes held, and its exit code. aside: its stdout is stderr."""
    from hermes_diag.core.interrupts import Interrupts
    from hermes_diag.leakguard import traced

    running = None
    # The program ends, and not we: what it held is told, and its boxes are removed, whoever is impatient meanwhile.
    with Interrupts(lambda number: None, deaf=True):
        folder = traced.folder(keep)
        try:
            running = traced.Traced(program, folder, paths, sys.stderr.fileno() if aside else None)
            code = running.wait()
            return list(running.remains()), code
        finally:
            if keep:
                say(f"the boxes are in {folder}")
            elif running is None:
                folder.rmdir()
            elif running.clear():
                say(f"what still runs is recorded on, in {folder}")
