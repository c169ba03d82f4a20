"""Processes that leak, and healthy ones that look as if they did. Each says "ready" and leaves at the end of stdin.

python tests/lifelike.py NAME SECONDS    (how long it will be watched; what happens is spread over that time)
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import resource
import select
import selectors
import socket
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable

from target import Peers

#: Steps into which the time is divided.
STEPS = 60

Step = Callable[[int], object]


def loop() -> None:
    """What an event loop holds that nobody closes: an epoll descriptor and a socket pair."""
    KEPT.extend((selectors.EpollSelector(), *socket.socketpair()))


KEPT: list[object] = []


def close_wait_leak(peers: Peers) -> Step:
    return lambda i: peers.close_wait() if i % 3 == 0 else None


def established_leak(peers: Peers) -> Step:
    return lambda i: KEPT.append(peers.connected()) if i % 3 == 0 else None


def event_loop_leak(peers: Peers) -> Step:
    return lambda i: loop() if i % 3 == 0 else None


def deleted_file_leak(peers: Peers) -> Step:
    return lambda i: KEPT.append(tempfile.TemporaryFile()) if i % 3 == 0 else None


def pipe_leak(peers: Peers) -> Step:
    return lambda i: os.pipe() if i % 3 == 0 else None


def eventfd_leak(peers: Peers) -> Step:
    return lambda i: os.eventfd(0) if i % 3 == 0 else None


def thread_leak(peers: Peers) -> Step:
    return lambda i: threading.Thread(target=time.sleep, args=(600,), daemon=True).start() if i % 3 == 0 else None


def leak_beneath_a_load(peers: Peers) -> Step:
    """Connections that live for a moment, ten at a time, and one in twenty is forgotten."""
    alive: deque[tuple[socket.socket, socket.socket]] = deque()

    def step(i: int) -> None:
        for k in range(5):
            (KEPT if k == 0 and i % 4 == 0 else alive).append(peers.connected())
        while len(alive) > 10 + random.randrange(10):
            for one in alive.popleft():
                one.close()

    return step


def load_that_rises(peers: Peers) -> Step:
    """More and more at a time, none of which stays."""
    alive: deque[tuple[socket.socket, socket.socket]] = deque()

    def step(i: int) -> None:
        alive.extend(peers.connected() for _ in range(1 + i // 4))
        while len(alive) > 2 + i // 2:
            for one in alive.popleft():
                one.close()

    return step


def pool_that_warms_up(peers: Peers) -> Step:
    return lambda i: KEPT.append(peers.connected()) if i < 20 else None


def rotating_set(peers: Peers) -> Step:
    """Ten connections, of which the oldest is replaced; now and then there are some more."""
    alive = deque(peers.connected() for _ in range(10))

    def step(i: int) -> None:
        alive.append(peers.connected())
        while len(alive) > 10 + i // 20:
            for one in alive.popleft():
                one.close()

    return step


def sawtooth(peers: Peers) -> Step:
    return lambda i: (peers.close_wait(), i % 10 or [peers.kept.pop().close() for _ in list(peers.kept)])


def rotating_files(peers: Peers) -> Step:
    alive: deque[int] = deque()

    def step(i: int) -> None:
        number, path = tempfile.mkstemp()
        os.unlink(path)
        alive.append(number)
        if len(alive) > 5 + i // 15:
            os.close(alive.popleft())

    return step


def threads_that_come_and_go(peers: Peers) -> Step:
    return lambda i: threading.Thread(target=time.sleep, args=(0.3,), daemon=True).start()


def leak_that_stopped(peers: Peers) -> Step:
    return lambda i: peers.close_wait() if i < 25 else None


def used_up_pool(peers: Peers) -> Step:
    """As many connections as there may be, each with a body that nobody reads and a peer that has gone."""
    for _ in range(20):
        client, server = peers.connected()
        server.sendall(b"x" * 5000)
        server.close()
        KEPT.append(client)
    return lambda i: None


def full(peers: Peers) -> Step:
    """At its limit: each further try fails."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    def step(i: int) -> None:
        with contextlib.suppress(OSError):
            while True:
                KEPT.append(socket.socket())

    return step


LEAKS = {
    "close_wait_leak": "CLOSE_WAIT",
    "established_leak": "ESTABLISHED",
    "event_loop_leak": "event loops that are not closed",
    "deleted_file_leak": "all are file (deleted)",
    "pipe_leak": "all are pipe",
    "eventfd_leak": "all are eventfd",
    "thread_leak": "threads by",
    "leak_beneath_a_load": "ESTABLISHED",
    "used_up_pool": "left behind: 20 in CLOSE_WAIT with unread body",
    "full": "full: at its limit, 40 of 40 fds",
}
HEALTHY = (
    "load_that_rises", "pool_that_warms_up", "rotating_set", "sawtooth", "rotating_files", "threads_that_come_and_go",
    "leak_that_stopped",
)  # fmt: skip


def told_to_leave(until: float) -> bool:
    return bool(select.select([sys.stdin], [], [], max(0.0, until - time.monotonic()))[0])


def main() -> None:
    name, seconds = sys.argv[1], float(sys.argv[2])
    step = globals()[name](Peers())
    print("ready", flush=True)
    begun = time.monotonic()
    for i in itertools.count():  # it goes on for as long as it is watched
        if told_to_leave(begun + i * seconds / STEPS):
            return
        step(i)


if __name__ == "__main__":
    main()
