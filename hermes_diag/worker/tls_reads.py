"""Who reads over TLS at the moment, and from which descriptor: OpenSSL keeps its number, whoever closes it meanwhile.

Blocking sockets only: what runs in an event loop hands OpenSSL bytes, and no descriptor.
"""

import ssl
import threading
import time

#: Seconds between two looks while something is waited for.
PAUSE = 0.001


class Reads:
    """While entered, `under_way` has the number of the descriptor of each thread that reads over TLS, and
    `closed_early` counts the sockets that another thread closed under such a read."""

    def __init__(self):
        self.under_way = {}
        self.closed_early = 0

    def __enter__(self):
        self._originals = ssl.SSLSocket.read, ssl.SSLSocket._real_close
        ssl.SSLSocket.read, ssl.SSLSocket._real_close = self._watched(*self._originals)
        return self

    def __exit__(self, *failure):
        ssl.SSLSocket.read, ssl.SSLSocket._real_close = self._originals

    def _watched(self, read, close):
        def reading(sock, *args, **named):
            thread = threading.get_ident()
            self.under_way[thread] = sock.fileno()
            try:
                return read(sock, *args, **named)
            finally:
                del self.under_way[thread]

        def closing(sock, *args, **named):
            mine, number = threading.get_ident(), sock.fileno()
            self.closed_early += any(other != mine and used == number for other, used in list(self.under_way.items()))
            return close(sock, *args, **named)

        return reading, closing

    def numbers(self):
        """The descriptors that are read from, by the numbers that OpenSSL knows."""
        return set(self.under_way.values()) - {-1}

    def wait(self, seen, seconds):
        """Return once `seen()` is true, or time is up; what it returned last."""
        deadline = time.monotonic() + seconds
        while True:
            found = seen()
            if found or time.monotonic() > deadline:
                return found
            time.sleep(PAUSE)
