"""One look at a live process: what `hermes-diag sockets` does once its options are checked."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from hermes_diag.cli.terminal import emit, paint, width
from hermes_diag.core.status import Status

if TYPE_CHECKING:
    from pathlib import Path

    from hermes_diag.cli.options.output import Output
    from hermes_diag.cli.watching import Asked
    from hermes_diag.watch.attached import Attached
    from hermes_diag.watch.observer import Observer
    from hermes_diag.watch.opened import Origins
    from hermes_diag.watch.records import Held, Look


def look(eye: Observer, asked: Asked) -> int:
    """Take one look and print it; the exit code."""
    from hermes_diag.leakguard import boxes
    from hermes_diag.watch import readers

    seen = readers.added(eye.look())
    told = _told(eye.pid, asked.arm) if asked.attach else None
    origins = boxes.of_look(seen)
    names: dict[str, str] = {}
    if asked.resolve:
        from hermes_diag.cli.names import reverse

        names = reverse({row.remote[0] for row in seen.rows if row.remote[1]})
    held = []
    if asked.conditions:
        from hermes_diag.watch import fail_on
        from hermes_diag.watch.tracker import once

        held = [fail_on.at_tick(one, once(seen)) for one in asked.conditions]
    status = _status(held)
    if asked.output.json:
        from hermes_diag.reporters import sockets_attached, sockets_json, sockets_origins

        parts = {
            "origins": sockets_origins.document(seen, origins),
            "attached": sockets_attached.document(told, seen) if told else None,
        }
        emit(sockets_json.look(seen, held, status, names, **parts))
    else:
        emit(paint(_lines(seen, asked, names, origins, told, held)))
    return status.exit_code


def read_box(path: Path, output: Output) -> int:
    """Print what a recorder wrote down; the exit code. Raises UsageError, CannotMeasure."""
    from hermes_diag.leakguard import traced
    from hermes_diag.leakguard.box import Box
    from hermes_diag.reporters import trace

    found = [traced.alone(Box(path))]
    if output.json:
        emit(trace.document(found, Status.CLEAN, "what the box says"))
    else:
        emit(paint(trace.lines(found, width(), output.verbose)))
    return Status.CLEAN.exit_code


def _lines(
    seen: Look,
    asked: Asked,
    names: dict[str, str],
    origins: Origins | None,
    told: Attached | None,
    held: list[Held],
) -> list[str]:
    from hermes_diag.reporters import sockets_text

    verbose = asked.output.verbose
    lines = sockets_text.look(seen, width(), asked.group_by, verbose, names, origins)
    if origins:
        from hermes_diag.reporters import sockets_origins

        lines += ["", *sockets_origins.section(seen, origins, width(), verbose)]
    elif sockets_text.next_step(seen, 0) and (more := _more(seen.processes[0].pid)):
        lines += sockets_text.fitted(more, width())
    if told:
        from hermes_diag.reporters import sockets_attached

        lines += sockets_attached.text(told, seen, width(), verbose)
    if held:
        lines += ["", *sockets_text.conditions(held, width())]
    return lines


def _told(pid: int, arm: bool) -> Attached:
    """What the process itself says; with arm it begins to record."""
    from hermes_diag.leakguard.attach.ask import ask

    if not arm:
        return ask(pid)
    from hermes_diag.leakguard.attach import arm as arming

    told = ask(pid, then=arming.code(pid))
    sys.stderr.write(f"process {pid} records from now on what it opens: {arming.armed(pid)}\n")
    return told


def _more(pid: int) -> str:
    """What would tell who opened what a Python process holds; "" for another program."""
    try:
        name = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return ""
    release = re.match(r"python3\.(\d+)", name)
    if not name.startswith("python"):
        return ""
    said = "Which line opened them: hermes-diag trace -- COMMAND records it from the start"
    return said + (", --attach asks the process who holds them" if release and int(release[1]) >= 14 else "")


def _status(held: list[Held]) -> Status:
    if any(one.held for one in held):
        return Status.FAILING
    return Status.COULD_NOT_TELL if any(one.held is None for one in held) else Status.CLEAN
