"""Socket tables by psutil: portable, the reference.

Limits: knows neither inodes nor queues; without privileges it names the pid only of one's own
processes; macOS shows no table of the whole system to a normal user, so that sockets without an
owner cannot be seen there. Its cost follows the number of sockets on the host.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Collection
from typing import Any

import psutil

from hermes_diag.core.sockets import SocketRow

KNOWS_INODES = False
#: Elsewhere the system may show no more than the sockets of one process.
FOR_ALL = sys.platform.startswith("linux")

_NOWHERE = {socket.AF_INET: ("0.0.0.0", 0), socket.AF_INET6: ("::", 0)}  # nosec B104


def available() -> str:
    """Empty when this backend works here, else why it does not."""
    return ""


def table(
    states: Collection[str] = (),
    port: int | None = None,
    info: bool = False,
    pid: int | None = None,
    known: Any = None,
) -> list[SocketRow]:
    """TCP sockets of this network namespace, each with the pid and fd of whoever has it.

    states: only in these; none means all. port: only towards this remote port. info, known: of no use here.
    pid: whose sockets to show where the system does not show all. Raises OSError when it refuses.
    """
    rows: list[tuple[Any, int | None]]
    try:
        rows = [(row, row.pid) for row in psutil.net_connections("tcp")]
    except psutil.AccessDenied as exc:  # macOS without root: at least the process asked about
        if pid is None:
            raise PermissionError(1, "the system shows its socket table to root only") from exc
        try:
            rows = [(row, pid) for row in psutil.Process(pid).net_connections("tcp")]
        except psutil.Error as error:
            raise PermissionError(1, f"not allowed to see the sockets of process {pid}") from error
    found = []
    for row, owner in rows:
        there = (row.raddr.ip, row.raddr.port) if row.raddr else _NOWHERE[row.family]
        if (not states or row.status in states) and port in (None, there[1]):
            fd = row.fd if row.fd != -1 else None
            found.append(SocketRow(row.status, (row.laddr.ip, row.laddr.port), there, owner, fd))
    return found
