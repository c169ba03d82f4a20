"""Listeners whose queue is full: connections that the peer takes for made wait until this process accepts them.

Of a listener the kernel gives the connections that wait as its receive queue and the most that may wait as its send
queue (ss(8)); /proc/net/tcp and psutil do not have the latter. The queue is full when one more than that waits.
"""

from __future__ import annotations

from hermes_diag.core import units
from hermes_diag.core.sockets import SocketRow
from hermes_diag.watch import filters
from hermes_diag.watch.records import Look, Queue


def fullest(look: Look) -> Queue | None:
    """The full queue in which most connections wait."""
    if look.backend != "sock_diag":
        return None
    return max(filter(None, map(_queue, look.rows)), key=lambda one: one.waiting, default=None)


def _queue(row: SocketRow) -> Queue | None:
    if row.state != "LISTEN" or row.recv_q is None or row.send_q is None or row.recv_q <= row.send_q:
        return None
    return Queue(filters.text(row.local), row.recv_q, row.send_q)


def text(found: Queue) -> str:
    """In words."""
    waiting = units.count(found.waiting, "connection")
    return (
        f"the queue of the listener on {found.endpoint} is full: {waiting} not yet accepted, and it is meant for "
        f"{found.size}; new ones get no answer"
    )
