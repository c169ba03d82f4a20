"""Socket tables from the Linux kernel over netlink (sock_diag): fast, and with the inode.

The kernel is asked for TCP sockets only, in the states and towards the port wanted, so that the cost
follows what is asked for and not what the host has. The question is the older of the two that it
understands (TCPDIAG_GETSOCK, which `ss -t` asks too): it alone gets IPv4 and IPv6 in one walk over the
kernel's table, and on a quiet host the walk is most of the cost. Sources: sock_diag(7), linux/inet_diag.h.

Limits: Linux; sees this network namespace; names no owner by itself (an inode is looked up among the
descriptors of the processes asked about, which must be one's own, or one must be root).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import sys
from collections.abc import Collection, Iterable

from hermes_diag.core.sockets import SocketRow

#: Rows carry inodes, queues and timers; with `info` also ages and round trips.
KNOWS_INODES = True
#: Whichever process is asked about, the table is the same.
FOR_ALL = True

_NETLINK_SOCK_DIAG, _TCPDIAG_GETSOCK = 4, 18
_NLM_F_REQUEST, _NLM_F_DUMP = 1, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQ_BYTECODE = 1
_BC_D_GE, _BC_D_LE = 4, 5
_INFO, _SKMEMINFO = 2, 7  # attributes; asked for as bits one lower

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port id
_REQUEST = struct.Struct("=BxxB48xI4x")  # inet_diag_req: family (of no effect), extensions, (no) id, states
_LENGTH_AND_KIND = struct.Struct("=IH")
# inet_diag_msg: family, state, timer, retransmits, ports, addresses, expires, queues, uid, inode. Interface
# and cookie are skipped.
_MESSAGE = struct.Struct("=BBBB2s2s16s16s12xIIIII")
_ATTRIBUTE = struct.Struct("=HH")
# tcp_info, from the byte at which tcpi_last_data_recv stands: it, tcpi_last_ack_recv; and tcpi_rtt.
_SILENCE, _RTT = (struct.Struct("=II"), 52), (struct.Struct("=I"), 68)
_MEMORY = struct.Struct("=6I")  # receive alloc, its limit, send alloc, its limit, forward, queued
_SHORTEST = _HEADER.size + _MESSAGE.size
_BUFFER = 1 << 16  # the kernel fills at most 32 KiB at a time
_PATIENCE = 5.0  # seconds; the kernel answers at once or not at all
_TRIES = 5

#: Rows by the bytes they were made of. It only grows: whoever keeps one bounds it.
Rows = dict[bytes, SocketRow]

#: Kernel state numbers by the names psutil uses.
STATES = {
    "ESTABLISHED": 1,
    "SYN_SENT": 2,
    "SYN_RECV": 3,
    "FIN_WAIT1": 4,
    "FIN_WAIT2": 5,
    "TIME_WAIT": 6,
    "CLOSE": 7,
    "CLOSE_WAIT": 8,
    "LAST_ACK": 9,
    "LISTEN": 10,
    "CLOSING": 11,
    "SYN_RECV_NEW": 12,
}
_CLOSE = STATES["CLOSE"]
NAMES = {number: name for name, number in STATES.items()} | {12: "SYN_RECV"}

#: Timers by the names that `ss -o` uses, and what each says about SO_KEEPALIVE: one timer hides another.
TIMERS = {0: "", 1: "on", 2: "keepalive", 3: "timewait", 4: "persist"}
KEEPALIVE = {0: False, 2: True}

#: In these states the times of tcp_info mean something.
_SYNCHRONISED = frozenset({1, 4, 5, 8, 9, 11})


def available() -> str:
    """Empty when this backend works here, else why it does not."""
    if not sys.platform.startswith("linux"):
        return "sock_diag is Linux only"
    try:
        # A socket may be had where the kernel has no tcp_diag to answer, so a question is put.
        with _socket() as netlink:
            _dump(netlink, _mask(("LISTEN",)), 1)
            return ""
    except OSError as exc:
        return f"the kernel refuses sock_diag: {exc.strerror or exc}"


def table(
    states: Collection[str] = (),
    port: int | None = None,
    info: bool = False,
    pid: int | None = None,
    known: Rows | None = None,
) -> list[SocketRow]:
    """TCP sockets of this network namespace, without owners.

    states: only in these; none means all. port: only towards this remote port. info: with ages, round
    trips and memory. pid: of no use here, see proc_net. known: rows of earlier calls, added to; a row that
    has not changed is not made anew but the same object, so that its expires_ms is that of the first call.
    Raises OSError when the kernel refuses.
    """
    for _ in range(_TRIES):
        with _socket() as netlink, contextlib.suppress(_Passing):
            return _dump(netlink, _mask(states), port, info, known)
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


class _Passing(OSError):
    """The answer caught a socket on its way into another state, or out of the table.

    No TCP table holds a socket in CLOSE; but the kernel gathers sockets first and then tells of them, so that
    one that meanwhile becomes a TIME_WAIT row is told of as CLOSE (1 answer in 23,000 of a busy host).
    """


def _socket() -> socket.socket:
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG)
    netlink.settimeout(_PATIENCE)
    return netlink


def _mask(states: Collection[str]) -> int:
    mask = sum(1 << STATES[state] for state in set(states)) if states else 0xFFF << 1
    return mask | 1 << STATES["SYN_RECV_NEW"] if mask & 1 << STATES["SYN_RECV"] else mask


def _dump(
    netlink: socket.socket, mask: int, port: int | None = None, info: bool = False, known: Rows | None = None
) -> list[SocketRow]:
    """Ask, and read the answer to its end. Raises _Passing, OSError."""
    netlink.send(_question(mask, port, info))
    try:
        return rows_of(iter(lambda: netlink.recv(_BUFFER), b""), info, known)
    except (struct.error, KeyError, ValueError, OverflowError):
        raise OSError(errno.EBADMSG, "the kernel's answer about sockets cannot be read") from None


def rows_of(answers: Iterable[bytes], info: bool = False, known: Rows | None = None) -> list[SocketRow]:
    """The rows of an answer, which comes in several pieces. A tight loop: it runs once for each socket of the host.

    Raises _Passing, OSError that the kernel tells of; struct.error, KeyError, ValueError or OverflowError for what is
    no answer.
    """
    rows: list[SocketRow] = []
    head, take = _LENGTH_AND_KIND.unpack_from, _Reader(info).row
    for buffer in answers:
        size, offset = len(buffer), 0
        while offset < size:
            length, kind = head(buffer, offset)
            if kind == _NLMSG_DONE:
                return rows
            if kind == _NLMSG_ERROR:
                (error,) = struct.unpack_from("=i", buffer, offset + _HEADER.size)
                if error >= 0:
                    raise ValueError
                raise OSError(-error, os.strerror(-error))
            if length < _SHORTEST or offset + length > size:
                raise ValueError
            if known is None:
                rows.append(take(buffer, offset, length))
            else:
                # All that makes a row (and the socket's cookie, which is never given twice), bar expires; the inode
                # too: a socket that waits to be accepted gets one without any other change.
                key = buffer[offset + 16 : offset + 68] + buffer[offset + 72 : offset + 88]
                row = known.get(key)
                if row is None:
                    row = known[key] = take(buffer, offset, length)
                rows.append(row)
            offset += (length + 3) & ~3
    raise ValueError  # it ends before it says so


class _Reader:
    """Makes rows of messages. info: with what the kernel knows beyond the message itself."""

    def __init__(self, info: bool) -> None:
        self._info = info
        self._four, self._six = _Addresses(socket.AF_INET, 4), _Addresses(socket.AF_INET6, 16)

    def row(self, buffer: bytes, offset: int, length: int) -> SocketRow:
        """The row of the message at that place. Raises _Passing for a socket caught between two states."""
        at = offset + _HEADER.size
        family, state, timer, retrans, sport, dport, src, dst, expires, recv_q, send_q, uid, inode = (
            _MESSAGE.unpack_from(buffer, at)
        )
        if state == _CLOSE:
            raise _Passing
        ips = self._four if family == socket.AF_INET else self._six
        return tuple.__new__(  # a third of the time of calling the class
            SocketRow,
            (
                NAMES[state],
                (ips[src], sport[0] << 8 | sport[1]),
                (ips[dst], dport[0] << 8 | dport[1]),
                None,
                None,
                inode or None,
                recv_q,
                send_q,
                KEEPALIVE.get(timer),
                retrans,
                TIMERS.get(timer),
                expires,
                uid,
                *(_extras(buffer, at + _MESSAGE.size, offset + length, state) if self._info else _NO_EXTRAS),
            ),
        )


class _Addresses(dict[bytes, str]):
    """Addresses as text, each made once."""

    def __init__(self, family: int, size: int) -> None:
        self._family, self._size = family, size

    def __missing__(self, raw: bytes) -> str:
        text = self[raw] = socket.inet_ntop(self._family, raw[: self._size])
        return text


_NO_EXTRAS: tuple[int | float | None, ...] = (None, None, None, None)


def _extras(buffer: bytes, offset: int, end: int, state: int) -> tuple[int | float | None, ...]:
    """(silent_ms, acked_ms, rtt_ms, memory) from the attributes of a message."""
    silent = acked = rtt = memory = None
    while offset + _ATTRIBUTE.size <= end:
        length, kind = _ATTRIBUTE.unpack_from(buffer, offset)
        if length < _ATTRIBUTE.size or offset + length > end:
            break  # no attribute: what follows cannot be told
        value = offset + _ATTRIBUTE.size
        if kind == _INFO and state in _SYNCHRONISED and length >= 4 + _RTT[1] + 4:
            silent, acked = _SILENCE[0].unpack_from(buffer, value + _SILENCE[1])
            rtt = _RTT[0].unpack_from(buffer, value + _RTT[1])[0] / 1000
        elif kind == _SKMEMINFO and length >= 4 + _MEMORY.size:
            received, _, _, _, _, queued = _MEMORY.unpack_from(buffer, value)
            memory = received + queued
        offset += (length + 3) & ~3
    return silent, acked, rtt, memory


def _question(mask: int, port: int | None, info: bool) -> bytes:
    extensions = (1 << _INFO - 1 | 1 << _SKMEMINFO - 1) if info else 0
    body = _REQUEST.pack(socket.AF_INET, extensions, mask)
    if port is not None:
        # A tiny program for the kernel's filter: port >= p and port <= p. An op says how far to jump
        # on yes and on no; a jump four past the end rejects the socket.
        program = struct.pack("=BBHBBHBBHBBH", _BC_D_GE, 8, 20, 0, 0, port, _BC_D_LE, 8, 12, 0, 0, port)
        body += struct.pack("=HH", 4 + len(program), _REQ_BYTECODE) + program
    flags = _NLM_F_REQUEST | _NLM_F_DUMP
    return _HEADER.pack(_HEADER.size + len(body), _TCPDIAG_GETSOCK, flags, 1, 0) + body
