"""The sockets that this process connects, whichever library does, and the options that are set on them."""

import contextlib
import socket
import sys
import weakref


class Connected:
    """Every socket that is connected from now on."""

    def __init__(self):
        self._seen = weakref.WeakSet()
        sys.addaudithook(self._hook)

    def _hook(self, event, args):
        if event == "socket.connect" and isinstance(args[0], socket.socket):
            with contextlib.suppress(TypeError):
                self._seen.add(args[0])

    def open_to(self, base_url):
        """The sockets that are open to the port of that URL."""
        port = int(base_url.split(":")[2].split("/")[0])
        found = []
        for sock in list(self._seen):
            with contextlib.suppress(OSError):
                if sock.fileno() >= 0 and sock.getpeername()[1] == port:
                    found.append(sock)
        return found


def options(sock):
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
