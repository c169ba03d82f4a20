"""`hermes-diag trace`: who opened what is still open?"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hermes_diag.cli.options.output import Json, Verbose
from hermes_diag.core.errors import COULD_NOT_MEASURE, OK, PROBLEM, UsageError

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


def command(
    program: Command = None,
    fail_on_left: FailOnLeft = False,
    keep: Keep = False,
    paths: Paths = False,
    where: Where = False,
    json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Run a program and record which line of it opens each socket, pipe, file, event loop and thread.

    Every Python that it starts is recorded, 3.9 and newer. At the end this prints, on stderr, what was still open and
    where it came from; with --json as one document on stdout, where the program's own output then goes to stderr.
    """
    from hermes_diag.leakguard import traced

    if where:
        print(traced.RECORDER)
        return OK
    if not program:
        raise UsageError("which program?", "hermes-diag trace -- python script.py")
    _check(program)
    folder = Path(tempfile.mkdtemp(prefix="hermes-diag-", dir=traced.place()))  # of this user alone
    running = None
    try:
        running = traced.Traced(program, folder, paths, sys.stderr.fileno() if json else None)
        code = running.wait()
        return _tell(list(running.remains()), code, fail_on_left, json, verbose)
    finally:
        if keep:
            sys.stderr.write(f"the boxes are in {folder}\n")
        elif running is None:
            folder.rmdir()
        elif running.clear():
            sys.stderr.write(f"what still runs is recorded on, in {folder}\n")


def _check(program: list[str]) -> None:
    """Say of a Python that it will not load the recorder. Raises UsageError for what cannot be run."""
    from hermes_diag.leakguard import traced

    name = program[0]
    if shutil.which(name) is None:
        if os.path.exists(name):
            raise UsageError(f"{name} is not a program that can be run", f"chmod +x, or: -- python {name}")
        raise UsageError(f"there is no program {name}", "give its path, or look at PATH")
    if why := traced.blind(program):
        sys.stderr.write(f"hermes-diag: {why} ignores PYTHONPATH: nothing will be recorded\n  leave that option out\n")


def _tell(found: list[Remains], code: int, fail_on_left: bool, json: bool, verbose: bool) -> int:
    from hermes_diag.cli.terminal import emit, width
    from hermes_diag.core.status import Status
    from hermes_diag.reporters import trace
    from hermes_diag.reporters.sockets_text import painted

    left = sum(len(one.kept) for one in found if one.how != "running")
    unknown = sum(not one.looked for one in found)
    if not found:
        status, verdict = Status.COULD_NOT_TELL, "no Python 3.9 or newer recorded anything"
    elif left:
        were = "descriptor was" if left == 1 else "descriptors were"
        status, verdict = Status.FAILING, f"{left} {were} still open at the end"
    elif unknown:
        status, verdict = Status.COULD_NOT_TELL, f"what {unknown} of {len(found)} processes held is not known"
    else:
        status, verdict = Status.CLEAN, "nothing was left open"
    if (code == OK and not found) or (fail_on_left and status is Status.COULD_NOT_TELL):
        code = COULD_NOT_MEASURE
    elif fail_on_left and left:
        code = PROBLEM
    if json:
        emit(trace.document(found, status, verdict, code))
    else:
        colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        lines = trace.lines(found, width(), verbose)
        if not found:
            lines = [
                f"hermes-diag: {verdict}",
                "  is it a Python program, without -I, -E and -S, that keeps PYTHONPATH?",
            ]
        sys.stderr.write(painted(lines, colour) + "\n")
    return code
