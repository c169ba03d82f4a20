"""Socket tables from the Linux files /proc/PID/net/tcp and tcp6: the way into another network namespace.

The files show the namespace of the process whose folder they are in; nothing is entered and no
privilege is needed beyond reading them. Source: proc(5), net/ipv4/tcp_ipv4.c.

Limits: Linux; knows no ages, round trips or memory; a listener's backlog limit is not shown. Its cost
follows the number of sockets in the namespace.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Collection, Iterator
from typing import Any

from hermes_diag.core.sockets import SocketRow
from hermes_diag.watch.tables.sock_diag import KEEPALIVE, NAMES, TIMERS

KNOWS_INODES = True
FOR_ALL = False

_FILES = (("tcp", socket.AF_INET, 4), ("tcp6", socket.AF_INET6, 16))
_TICK_MS = 1000 // os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 10


def available() -> str:
    """Empty when this backend works here, else why it does not."""
    if not sys.platform.startswith("linux"):
        return "/proc/net/tcp is Linux only"
    try:
        with open("/proc/self/net/tcp", "rb"):
            return ""
    except OSError as exc:
        return f"/proc/self/net/tcp: {exc.strerror}"


def table(
    states: Collection[str] = (),
    port: int | None = None,
    info: bool = False,
    pid: int | None = None,
    known: Any = None,
) -> list[SocketRow]:
    """TCP sockets of the network namespace of `pid` (none: ours), without owners.

    states: only in these; none means all. port: only towards this remote port. info, known: of no use here.
    Raises OSError when the files cannot be read.
    """
    rows: dict[Any, SocketRow] = {}
    for name, family, size in _FILES:
        path = f"/proc/{pid or 'self'}/net/{name}"
        try:
            with open(path, "rb") as file:
                found = rows_of(file.read(), family, size)
        except FileNotFoundError:
            if name == "tcp":  # no tcp6: a kernel without IPv6
                raise
            continue
        except (ValueError, KeyError, struct.error):
            raise OSError(errno.EBADMSG, f"{path} cannot be read: it is not as proc(5) says") from None
        # The kernel writes a page at a time: a socket that moves meanwhile, or lies where another comes in, is in two.
        rows.update(((row.local, row.remote, row.inode), row) for row in found)
    return [row for row in rows.values() if (not states or row.state in states) and port in (None, row.remote[1])]


def rows_of(table: bytes, family: int, size: int) -> list[SocketRow]:
    """The rows of such a file. size: bytes of an address. Raises ValueError, KeyError struct.error if it is none."""
    return list(_rows(table.splitlines()[1:], family, size))


def _rows(lines: list[bytes], family: int, size: int) -> Iterator[SocketRow]:
    for line in lines:
        _, local, remote, state, queues, timer, retransmits, uid, probes, inode = line.split(None, 10)[:10]
        send_q, _, recv_q = queues.partition(b":")
        kind, _, when = timer.partition(b":")
        yield SocketRow(
            state=NAMES[int(state, 16)],
            local=_endpoint(local, family, size),
            remote=_endpoint(remote, family, size),
            inode=int(inode) or None,
            recv_q=int(recv_q, 16),
            send_q=int(send_q, 16),
            keepalive=KEEPALIVE.get(int(kind, 16)),
            retransmits=int(probes) if kind in (b"02", b"04") else int(retransmits, 16),  # as sock_diag has it
            timer=TIMERS.get(int(kind, 16)),
            expires_ms=int(when, 16) * _TICK_MS,
            uid=int(uid),
        )


def _endpoint(text: bytes, family: int, size: int) -> tuple[str, int]:
    """`0100007F:1F90` as ("127.0.0.1", 8080): words in the byte order of this machine."""
    address, _, port = text.partition(b":")
    words = struct.unpack(f">{size // 4}I", bytes.fromhex(address.decode()))
    return socket.inet_ntop(family, struct.pack(f"={size // 4}I", *words)), int(port, 16)
