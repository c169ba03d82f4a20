"""Connections that more than one process holds: a fork gives the child a copy of each descriptor. Pure."""

from __future__ import annotations

from hermes_diag.core import units
from hermes_diag.core.sockets import SocketRow
from hermes_diag.watch.descriptors import socket_text
from hermes_diag.watch.records import Look


def connections(look: Look) -> list[tuple[SocketRow, list[int]]]:
    """Each connection that several of the processes looked at hold, and which; a listener may be shared."""
    if len(look.held or ()) < 2:
        return []
    holders: dict[str, list[int]] = {}
    for one in look.held or ():
        for target in {target for _, target in one.fds.values() if target.startswith("socket:")}:
            holders.setdefault(target, []).append(one.pid)
    found = [(row, holders.get(socket_text(row.inode or 0), [])) for row in look.rows if row.state != "LISTEN"]
    return [(row, pids) for row, pids in found if len(pids) > 1]


def text(count: int) -> str:
    """In words."""
    held = "is held by more than one process" if count == 1 else "are held by more than one process each"
    return (
        f"{units.count(count, 'connection')} {held}: what one reads the other misses, and a close of one ends nothing"
    )
