"""Socket tables by psutil: portable, the reference.

Limits: knows neither inodes nor queues; without privileges it names the pid only of one's own
processes; macOS shows no table of the whole system to a normal user, so that sockets without an
owner cannot be seen there. Its cost follows the number of sockets on the host.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import psutil

from hermes_diag.model import SocketRow


def available() -> str:
    """Empty when this backend works here, else why it does not."""
    return ""


def look(pids: Collection[int], remote: tuple[str, int] | None = None, states: Collection[str] = ()) -> list[SocketRow]:
    """TCP sockets of this network namespace, those of `pids` with their pid and fd.

    remote: only towards this (address, port). states: only in these; none means all.
    Raises OSError when the system refuses.
    """
    try:
        rows: list[tuple[Any, int | None]] = [(row, row.pid) for row in psutil.net_connections("tcp")]
    except psutil.AccessDenied:  # macOS without root: at least the processes asked about
        rows = [(row, pid) for pid in pids for row in psutil.Process(pid).net_connections("tcp")]
    found = []
    for row, pid in rows:
        there = (row.raddr.ip, row.raddr.port) if row.raddr else ("", 0)
        if (remote is None or there == remote) and (not states or row.status in states):
            mine = pid in pids
            found.append(
                SocketRow(
                    state=row.status,
                    local=(row.laddr.ip, row.laddr.port),
                    remote=there,
                    pid=pid if mine else None,
                    fd=row.fd if mine and row.fd != -1 else None,
                )
            )
    return found
