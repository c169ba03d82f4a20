"""One look at a live process: what `hermes-diag sockets` does once its options are checked."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from hermes_diag.cli.terminal import say

if TYPE_CHECKING:
    from hermes_diag.cli.watching import Asked
    from hermes_diag.watch.attached import Attached
    from hermes_diag.watch.observer import Observer
    from hermes_diag.watch.reports import LookReport


def look(eye: Observer, asked: Asked) -> int:
    """Take one look and print it; the exit code."""
    from hermes_diag.cli import telling

    files = telling.report_files(asked.output)
    said = []
    if save := asked.output.save:
        from hermes_diag.core.new_file import NewFile
        from hermes_diag.watch.capture import write_look

        saved = NewFile(save, asked.output.force)
        with saved as file:
            report = _report(eye, asked)
            trouble = write_look(file, report).failure
        said.append(saved.said(trouble))
    else:
        report = _report(eye, asked)
    return telling.tell(report, asked.output, files, said)


def _report(eye: Observer, asked: Asked) -> LookReport:
    from hermes_diag.leakguard import boxes
    from hermes_diag.watch import readers, reports

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
    hint = _more(seen.processes[0].pid) if origins is None else ""
    return reports.of_look(seen, held, names, origins, told, asked.group_by, hint)


def _told(pid: int, arm: bool) -> Attached:
    """What the process itself says; with arm it begins to record."""
    from hermes_diag.leakguard.attach.ask import ask

    if not arm:
        return ask(pid)
    from hermes_diag.leakguard.attach import arm as arming

    told = ask(pid, then=arming.code(pid))
    say(f"process {pid} records from now on what it opens: {arming.armed(pid)}")
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
