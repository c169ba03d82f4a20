"""What is asked of the kernel about one TCP socket, beyond what asyncio does. Linux only; elsewhere without effect."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import sys
from typing import Any

#: The numbers that TCP_INFO gives the states of our side.
ESTABLISHED, FIN_WAIT1, FIN_WAIT2 = 1, 4, 5
_SO_ATTACH_FILTER = 26
_TCP_REPAIR = 19
_LINGER_RESET = struct.pack("ii", 1, 0)
_LINUX = sys.platform.startswith("linux")


def reset_on_close(sock: Any) -> None:
    """Have the kernel send a RST, not a FIN, when the socket is closed."""
    with contextlib.suppress(OSError):  # the client has closed first
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)


def drop_everything(sock: Any) -> bool:
    """Have the kernel ignore all that arrives on a socket; False where that is not allowed.

    It may need root: EPERM was seen for an ordinary user.
    """
    if not _LINUX:
        return False
    take_nothing = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF_RET | BPF_K, 0 bytes
    code = ctypes.create_string_buffer(take_nothing)
    program = struct.pack("HL", 1, ctypes.addressof(code))
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    except OSError:
        return False
    return True


def close_silently(sock: Any) -> None:
    """Have the kernel send nothing when the socket is closed. Without CAP_NET_ADMIN it sends a RST."""
    if _LINUX:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)


def state(sock: socket.socket) -> int | None:
    """The kernel's state of our side of the connection; None where it cannot be asked."""
    if not _LINUX:
        return None
    try:
        return int(struct.unpack("B", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1))[0])
    except OSError:
        return None
