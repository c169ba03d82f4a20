"""Socket tables from the Linux kernel over netlink (sock_diag): fast, and with the inode.

The kernel is asked for TCP sockets only, in the states and towards the port wanted, so that the cost
follows what is asked for and not what the host has. Sources: sock_diag(7), linux/inet_diag.h.

Limits: Linux; sees this network namespace; names no owner by itself (an inode is looked up among the
descriptors of the processes asked about, which must be one's own, or one must be root).
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Collection, Iterator

from hermes_diag.model import SocketRow

_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY = 4, 20
_NLM_F_REQUEST, _NLM_F_DUMP = 1, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQ_BYTECODE = 1
_BC_D_GE, _BC_D_LE = 4, 5

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port id
_REQUEST = struct.Struct("=BBBxI48x")  # inet_diag_req_v2: family, protocol, extensions, states, id
_MESSAGE = struct.Struct("=BBBB2s2s16s16s12xIIIII")  # inet_diag_msg
_PORT = struct.Struct("!H")

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
_NAMES = {number: name for name, number in STATES.items()} | {12: "SYN_RECV"}


def available() -> str:
    """Empty when this backend works here, else why it does not."""
    if not sys.platform.startswith("linux"):
        return "sock_diag is Linux only"
    try:
        with _socket():
            return ""
    except OSError as exc:
        return f"the kernel refuses a sock_diag socket: {exc.strerror}"


def look(pids: Collection[int], remote: tuple[str, int] | None = None, states: Collection[str] = ()) -> list[SocketRow]:
    """TCP sockets of this network namespace, those of `pids` with their pid and fd.

    remote: only towards this (address, port). states: only in these; none means all.
    Raises OSError when the kernel refuses.
    """
    owners = {inode: (pid, fd) for pid in pids for fd, inode in socket_inodes(pid).items()}
    rows = []
    for family in (socket.AF_INET, socket.AF_INET6):
        for row in _dump(family, remote, states):
            if remote is not None and row.remote != remote:
                continue
            pid, fd = owners.get(row.inode or 0, (None, None))
            rows.append(row if pid is None else row.owned_by(pid, fd))
    return rows


def socket_inodes(pid: int) -> dict[int, int]:
    """fd -> inode of every socket that a process has open. Raises OSError."""
    found = {}
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        try:
            target = os.readlink(f"{folder}/{name}")
        except FileNotFoundError:  # closed while we looked
            continue
        if target.startswith("socket:["):
            found[int(name)] = int(target[8:-1])
    return found


def _socket() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG)


def _dump(family: int, remote: tuple[str, int] | None, states: Collection[str]) -> Iterator[SocketRow]:
    with _socket() as netlink:
        netlink.send(_question(family, remote, states))
        while True:
            data = netlink.recv(1 << 18)
            offset = 0
            while offset < len(data):
                length, kind, *_ = _HEADER.unpack_from(data, offset)
                if kind == _NLMSG_DONE:
                    return
                if kind == _NLMSG_ERROR:
                    (error,) = struct.unpack_from("=i", data, offset + _HEADER.size)
                    raise OSError(-error, os.strerror(-error))
                yield _row(family, data, offset + _HEADER.size)
                offset += (length + 3) & ~3


def _question(family: int, remote: tuple[str, int] | None, states: Collection[str]) -> bytes:
    mask = sum(1 << STATES[state] for state in states) if states else 0xFFF << 1
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, mask)
    if remote is not None:
        # A tiny program for the kernel's filter: port >= p and port <= p. An op says how far to jump
        # on yes and on no; a jump four past the end rejects the socket.
        port = remote[1]
        program = struct.pack("=BBHBBHBBHBBH", _BC_D_GE, 8, 20, 0, 0, port, _BC_D_LE, 8, 12, 0, 0, port)
        body += struct.pack("=HH", 4 + len(program), _REQ_BYTECODE) + program
    flags = _NLM_F_REQUEST | _NLM_F_DUMP
    return _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, flags, 1, 0) + body


def _row(family: int, data: bytes, offset: int) -> SocketRow:
    _, state, timer, retransmits, sport, dport, src, dst, _, recv_q, send_q, _, inode = _MESSAGE.unpack_from(
        data, offset
    )
    size = 4 if family == socket.AF_INET else 16
    return SocketRow(
        state=_NAMES[state],
        local=(socket.inet_ntop(family, src[:size]), _PORT.unpack(sport)[0]),
        remote=(socket.inet_ntop(family, dst[:size]), _PORT.unpack(dport)[0]),
        inode=inode or None,
        recv_q=recv_q,
        send_q=send_q,
        keepalive=timer == 2,
        retransmits=retransmits,
    )
