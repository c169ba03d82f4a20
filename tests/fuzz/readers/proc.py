"""Files of /proc: stat, limits, syscall, net/tcp and net/tcp6."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

from hermes_diag.watch import descriptors, proc
from hermes_diag.watch.tables import proc_net

READS = ("hermes_diag.watch.proc", "hermes_diag.watch.tables.proc_net", "hermes_diag.watch.descriptors")
#: What these are said to raise; whoever calls them makes it "could not measure".
ALLOWED = (ValueError, IndexError, KeyError, struct.error)

_STAT = b"1 (a b) c) S 0 1 1 0 -1 4194560 9 9 0 0 1 1 0 0 20 0 7 0 123456 99999 321 18446744073709551615 " + b"0 " * 27
_LIMITS = (
    b"Limit                     Soft Limit           Hard Limit           Units\nMax open files  1024  4096  files\n"
)
_SYSCALL = b"7 0x7ffd 0x1 0xffffffff 0x0 0x0 0x0 0x7ffd 0x7fff\n"
_TCP = (
    b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    b"   0: 0100007F:1F90 0100007F:D2F0 08 00000000:00000001 02:0000071E 00000000  1000        0 61234 1 0 20 4 30\n"
)
_TCP6 = (
    b"  sl  local_address rem_address\n   0: 00000000000000000000000001000000:1F90 "
    b"00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7777\n"
)
_HOW: tuple[Callable[[bytes], Any], ...] = (
    proc.stat,
    lambda data: proc.soft_limit(data.splitlines()),
    proc.call,
    lambda data: proc_net.rows_of(data, socket.AF_INET, 4),
    lambda data: proc_net.rows_of(data, socket.AF_INET6, 16),
    lambda data: descriptors.sockets({3: data.decode("utf-8", "surrogateescape")}),
)


def seeds() -> list[bytes]:
    return [
        bytes([number]) + data for number, data in enumerate((_STAT, _LIMITS, _SYSCALL, _TCP, _TCP6, b"socket:[12]"))
    ]


def run(data: bytes) -> str:
    _HOW[data[0] % len(_HOW) if data else 0](data[1:])
    return ""
