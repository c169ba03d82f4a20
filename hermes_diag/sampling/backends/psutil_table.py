"""Socket tables by psutil: portable, the reference.

Limits: without privileges psutil names the pid only of one's own processes, and macOS shows no table
of the whole system at all, so that sockets without an owner cannot be seen there.
"""

from __future__ import annotations

import os
import sys
from collections import Counter

import psutil


def towards(pid: int, remote: tuple[str, int]) -> tuple[Counter[str], Counter[str]]:
    """Counts by state of the TCP sockets towards `remote`: (whoever owns them, owned by `pid`).

    Where the system shows only a process's own sockets both are the same.
    Raises psutil.Error when the process is gone or not ours to see.
    """
    every: Counter[str] = Counter()
    owned: Counter[str] = Counter()
    try:
        rows = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS without root
        mine = Counter(row.status for row in psutil.Process(pid).net_connections("tcp") if row.raddr == remote)
        return mine, mine
    for row in rows:
        if row.raddr and tuple(row.raddr) == remote:
            every[row.status] += 1
            if row.pid == pid:
                owned[row.status] += 1
    return every, owned


def unlisted(pid: int) -> int | None:
    """TCP file descriptors whose socket is in no TCP table: reset sockets, in state CLOSE.

    Linux only (the kernel names a socket's protocol as an extended attribute); elsewhere None.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        inodes = _socket_inodes(pid)
        listed = _listed_inodes(pid)
    except OSError:
        return None
    return sum(_is_tcp(pid, fd) for fd, inode in inodes.items() if inode not in listed)


def _socket_inodes(pid: int) -> dict[str, str]:
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:  # closed while we looked
            continue
        if target.startswith("socket:["):
            found[fd] = target[8:-1]
    return found


def _listed_inodes(pid: int) -> set[str]:
    listed = set()
    for table in ("tcp", "tcp6"):
        try:
            with open(f"/proc/{pid}/net/{table}", encoding="ascii") as lines:
                next(lines, None)
                listed.update(line.split()[9] for line in lines)
        except FileNotFoundError:  # a kernel without IPv6
            continue
    return listed


def _is_tcp(pid: int, fd: str) -> bool:
    try:
        name = os.getxattr(f"/proc/{pid}/fd/{fd}", "system.sockprotoname")
    except OSError:
        return False
    return name.rstrip(b"\0") in (b"TCP", b"TCPv6")
