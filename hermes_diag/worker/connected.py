"""The TCP connections of this process, whichever library made them, and the options set on them."""

import contextlib
import os
import socket
import stat
from urllib.parse import urlsplit


def descriptors():
    """The names of this process's descriptors; nothing where not one is left to look with."""
    try:
        return os.listdir("/dev/fd")
    except OSError:
        return []


def open_to(base_url):
    """Options of each socket that is connected to the port of that URL, with its own port."""
    port = urlsplit(base_url).port
    return [one for peer, one in _connections() if peer == port]


def count():
    """How many TCP connections this process has, to whomever."""
    return len(_connections())


def _connections():
    """(the peer's port, options) of each."""
    found = []
    for name in descriptors():
        with contextlib.suppress(OSError, ValueError):
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                # A duplicate: closing a socket object closes its descriptor.
                with contextlib.closing(socket.socket(fileno=os.dup(int(name)))) as sock:
                    if sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM:
                        found.append((sock.getpeername()[1], dict(_options(sock), port=sock.getsockname()[1])))
    return found


def _options(sock):
    """SO_KEEPALIVE with its idle time, interval (seconds) and count, and TCP_NODELAY; None: not on this platform."""

    def read(level, name):
        option = getattr(socket, name, None)
        return None if option is None else sock.getsockopt(level, option)

    tcp = socket.IPPROTO_TCP
    return {
        "keepalive": bool(read(socket.SOL_SOCKET, "SO_KEEPALIVE")),
        "idle": read(tcp, "TCP_KEEPIDLE"),
        "interval": read(tcp, "TCP_KEEPINTVL"),
        "count": read(tcp, "TCP_KEEPCNT"),
        "nodelay": bool(read(tcp, "TCP_NODELAY")),
    }
