"""One look at a worker: states towards its provider, descriptors, threads, memory."""

from __future__ import annotations

import contextlib

import psutil

from hermes_diag.model import Sample
from hermes_diag.sampling.backends import psutil_table


def look(pid: int, remote: tuple[str, int], at: float, late: float, label: str, turns: int) -> Sample:
    """A Sample of now. Raises psutil.Error when the process is gone."""
    every, owned = psutil_table.towards(pid, remote)
    process = psutil.Process(pid)
    with process.oneshot():
        fds = threads = rss = None
        with contextlib.suppress(psutil.AccessDenied):
            fds, threads, rss = process.num_fds(), process.num_threads(), process.memory_info().rss
    return Sample(at, late, label, turns, dict(every), dict(owned), psutil_table.unlisted(pid), fds, threads, rss)
