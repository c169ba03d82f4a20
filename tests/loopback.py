"""Brings the loopback device up, in a network namespace just made. A bare machine has no `ip`.

unshare -n sh -c 'PYTHON tests/loopback.py && ...'
"""

import fcntl
import socket
import struct

SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def up() -> None:
    """Raises OSError for a user who may not."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", IFF_UP, b""))


if __name__ == "__main__":
    up()
