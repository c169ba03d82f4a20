"""The worker's end of the conversation: events out and commands on one private descriptor."""

import json
import os
import queue
import threading

from .contract import GO, Barrier, to_line

#: Exit code of a worker whose host has gone.
HOST_GONE = 70


class Commands:
    """Lines from the host, read from the descriptor and never further than the line asked for.

    A lane and the job that it forks read from the same connection in turns, so that neither may buffer what the other
    is to read. Lines are short, so that reading single bytes costs nothing; the payload, which is long, is announced
    with its length.
    """

    def __init__(self, fd):
        self._fd = fd

    def line(self):
        """The next line without its newline, or None at EOF."""
        parts = []
        while True:
            byte = self._read(1)
            if not byte:
                return None
            if byte == b"\n":
                return b"".join(parts)
            parts.append(byte)

    def exactly(self, size):
        """The next `size` bytes, or None when the host goes first."""
        parts = []
        while size:
            part = self._read(min(size, 1 << 20))
            if not part:
                return None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _read(self, size):
        try:
            return os.read(self._fd, size)
        except ConnectionError:  # the host was killed with something of ours unread
            return b""


class Channel:
    """Events to the host; `barrier` waits for its answer."""

    thing = None  # the user's object itself, where the loop runs in its own process (run/thread_lane.py)

    def __init__(self, fd):
        self.commands = Commands(fd)
        self._fd = fd
        self._lock = threading.Lock()
        self._go = queue.SimpleQueue()

    def send(self, event):
        data = (json.dumps(to_line(event)) + "\n").encode()
        with self._lock:  # turns of overlapping sessions report from threads of their own
            while data:
                try:
                    data = data[os.write(self._fd, data) :]
                except OSError:
                    os._exit(HOST_GONE)

    def give_up(self, failed):
        """The user's code hangs: tell the host and end the process, which alone ends such a call."""
        self.send(failed)
        os._exit(3)

    def mute(self):
        """From now on nothing is sent or received: for a process that the user's code has forked."""
        self._lock = threading.Lock()
        os.dup2(os.open(os.devnull, os.O_RDWR), self._fd)

    def listen(self):
        """Watch the host from a thread: `go` opens the barrier, EOF means it is gone: leave."""
        threading.Thread(target=self._listen, name="hermes-diag-host", daemon=True).start()

    def _listen(self):
        while True:
            line = self.commands.line()
            if line is None:
                os._exit(HOST_GONE)  # no orphan survives a host that was killed
            if line == GO.encode():
                self._go.put(GO)

    def barrier(self, label, turns):
        self.send(Barrier(label, turns))
        self._go.get()
