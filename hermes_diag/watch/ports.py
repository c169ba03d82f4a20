"""Ephemeral ports: a connection takes one from its system, and keeps it for a minute after its end (TIME_WAIT).

A port can be used once for each pair of a local address and a remote endpoint; when all of the range are taken,
connect() fails with EADDRNOTAVAIL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hermes_diag.core.sockets import SocketRow
from hermes_diag.watch import filters, process
from hermes_diag.watch.records import Look, Ports

#: Parts of the range: what is told, and what is a problem.
MANY, NEARLY_ALL = 0.5, 0.9


def in_range(pid: int) -> int | None:
    """How many ports the system has to give to connections of this process; None where that cannot be read."""
    if process.other_namespace(pid):
        return None
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
            first, last = map(int, file.read().split())
    except (OSError, ValueError):
        return None
    return last - first + 1


def busiest(look: Look) -> Ports | None:
    """The endpoint towards which most ports are taken, if they are many."""
    size = look.ports
    if not size or len(look.rows) + len(look.unowned) < MANY * size:
        return None
    taken = _towards((*look.rows, *look.unowned), look.listening)
    (local, remote), count = taken.most_common(1)[0] if taken else (("", ("", 0)), 0)
    if count < MANY * size:
        return None
    waiting = _towards((row for row in look.unowned if row.state == "TIME_WAIT"), look.listening)[local, remote]
    return Ports(filters.text(remote), count, waiting, size)


def text(found: Ports) -> str:
    """In words."""
    said = f"{found.taken:,} of {found.size:,} ports towards {found.endpoint} are taken, {found.waiting:,} of them by"
    return f"{said} closed connections in TIME_WAIT; when none is left, new connections fail with EADDRNOTAVAIL"


def _towards(rows: Iterable[SocketRow], listening: frozenset[int]) -> Counter[tuple[str, tuple[str, int]]]:
    return Counter((row.local[0], row.remote) for row in rows if row.remote[1] and row.local[1] not in listening)
