"""The worker's end of the conversation: events out on a private descriptor, commands in on stdin."""

import json
import os
import queue
import threading

from .contract import GO, Barrier, to_line

#: Exit code of a worker whose host has gone (EOF on stdin).
HOST_GONE = 70


class Commands:
    """Lines from stdin, read by descriptor and never past the line asked for.

    A lane and the child it forks take turns at the same pipe, so nothing may be held in a buffer of
    one when the other is to read. Lines are short, so a byte at a time costs nothing; the payload,
    which is long, is announced with its length.
    """

    def __init__(self, fd):
        self._fd = fd

    def line(self):
        """The next line without its newline, or None at EOF."""
        parts = []
        while True:
            byte = os.read(self._fd, 1)
            if not byte:
                return None
            if byte == b"\n":
                return b"".join(parts)
            parts.append(byte)

    def exactly(self, size):
        """The next `size` bytes, or None when the host goes first."""
        parts = []
        while size:
            part = os.read(self._fd, min(size, 1 << 20))
            if not part:
                return None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


class Link:
    """Events to the host; `barrier` waits for its answer."""

    def __init__(self, events_fd, commands):
        self._fd = events_fd
        self._commands = commands
        self._lock = threading.Lock()
        self._go = queue.SimpleQueue()

    def send(self, event):
        data = (json.dumps(to_line(event)) + "\n").encode()
        with self._lock:  # turns of overlapping sessions report from threads of their own
            while data:
                data = data[os.write(self._fd, data) :]

    def listen(self):
        """Watch stdin from a thread: `go` opens the barrier, EOF means the host is gone: leave."""
        threading.Thread(target=self._listen, name="hermes-diag-host", daemon=True).start()

    def _listen(self):
        while True:
            line = self._commands.line()
            if line is None:
                os._exit(HOST_GONE)  # no orphan survives a host that was killed
            if line == GO.encode():
                self._go.put(GO)

    def barrier(self, label, turns):
        self.send(Barrier(label, turns))
        self._go.get()
