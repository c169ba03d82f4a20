"""What recorders say of a look: who opened what the process holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hermes_diag.reporters import sockets_text
from hermes_diag.watch import opened
from hermes_diag.watch.opened import Opened, Origins
from hermes_diag.watch.records import Look


def section(seen: Look, origins: Origins, width: int, verbose: bool) -> list[str]:
    """The places, the most frequent first; with verbose each descriptor and thread."""
    lines = [sockets_text.heading("Who opened them")]
    for name, found in opened.kinds(seen, origins).items():
        groups = opened.groups(found)
        shown = groups if verbose else groups[: sockets_text.FEW]
        for place, count in shown:
            lines += sockets_text.fitted(f"{count:,} of {len(found):,} {name}: {place or opened.UNKNOWN}", width, 2)
        if len(groups) > len(shown):
            lines += sockets_text.fitted(f"and {len(groups) - len(shown):,} more lines of {name} (-v)", width, 2)
    if verbose:
        lines += ["", sockets_text.heading("Each of them")]
        for what, one in each(seen, origins):
            verb = "started" if "thread" in what else "opened"
            said = opened.text(one, seen.at, verb) if one else opened.UNKNOWN
            lines += sockets_text.fitted(f"{what}: {said}", width, 2)
    for note in origins.notes:
        lines += sockets_text.fitted(note, width)
    return lines


def each(seen: Look, origins: Origins) -> Iterator[tuple[str, Opened | None]]:
    """Each descriptor and thread of the processes that have a recorder."""
    several = len(seen.processes) > 1
    for pid, fd in sorted(key for key, _ in opened.held(seen, origins)):
        yield f"process {pid} fd {fd}" if several else f"fd {fd}", origins.descriptors.get((pid, fd))
    for pid, tid in sorted(opened.threads(seen, origins)):
        yield f"process {pid} thread {tid}" if several else f"thread {tid}", origins.threads.get((pid, tid))


def document(seen: Look, origins: Origins | None) -> dict[str, Any] | None:
    """The same for `--json`; null where no process has a recorder."""
    if origins is None:
        return None
    return {
        "recorded": origins.recorded,
        "descriptors": [
            {"pid": pid, "fd": fd, "opened": one} for (pid, fd), one in sorted(origins.descriptors.items())
        ],
        "unknown": [
            {"pid": pid, "fd": fd, "kind": kind}
            for (pid, fd), kind in sorted(opened.held(seen, origins))
            if (pid, fd) not in origins.descriptors
        ]
        + [
            {"pid": pid, "tid": tid}
            for pid, tid in sorted(opened.threads(seen, origins))
            if (pid, tid) not in origins.threads
        ],
        "threads": [{"pid": pid, "tid": tid, "started": one} for (pid, tid), one in sorted(origins.threads.items())],
        "unowned": [{"inode": inode, "opened": one} for inode, one in sorted(origins.unowned.items())],
        "notes": origins.notes,
    }
