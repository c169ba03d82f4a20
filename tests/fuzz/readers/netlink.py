"""The kernel's answer about sockets (sock_diag)."""

from __future__ import annotations

import socket
import sys

from hermes_diag.watch.tables import sock_diag

READS = ("hermes_diag.watch.tables.sock_diag",)
#: What whoever looks is told: the system refused, exit code 3.
ALLOWED = (OSError,)


class _Kernel:
    """Says what it is to say, and then nothing more."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = [*filter(None, answers)]

    def send(self, question: bytes) -> None:
        pass

    def recv(self, most: int) -> bytes:
        return self._answers.pop(0)[:most] if self._answers else b""


def seeds() -> list[bytes]:
    """Real answers, where there is a kernel that gives them."""
    if not sys.platform.startswith("linux") or sock_diag.available():
        return [b"\x14\0\0\0\x03\0\x02\0" + b"\0" * 12]
    found = []
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        for info in (False, True):
            with sock_diag._socket() as netlink:
                netlink.send(sock_diag._question(sock_diag._mask(("LISTEN", "ESTABLISHED")), None, info))
                found.append(netlink.recv(1 << 16))
    return found


def run(data: bytes) -> str:
    at = len(data) // 2 if len(data) % 3 == 0 else len(data)
    for info in (False, True):
        rows = sock_diag._dump(_Kernel(data[:at], data[at:], b"\x14\0\0\0\x03\0\x02\0" + b"\0" * 12), 0, None, info, {})
        assert all(isinstance(row.local[1], int) for row in rows)
    return ""
