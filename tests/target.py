"""Processes to look at: each does one thing with its sockets, says "ready" and leaves at the end of stdin.

python tests/target.py leak SECONDS | burst SECONDS | idle COUNT | many COUNT [WAITING] | child COUNT | steps
                       scatter SECONDS | children COUNT | fork COUNT
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

BACKLOG = 512
RESET = b"\1\0\0\0\0\0\0\0"  # SO_LINGER: on, for 0 seconds


class Peers:
    """Both ends of connections on loopback."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self.kept: list[socket.socket] = []

    def connected(self) -> tuple[socket.socket, socket.socket]:
        client = socket.create_connection(self.listener.getsockname())
        return client, self.listener.accept()[0]

    def close_wait(self) -> socket.socket:
        """One more socket in CLOSE_WAIT, which is kept."""
        client, server = self.connected()
        server.close()
        client.recv(1)
        self.kept.append(client)
        return client


def told_to_leave(timeout: float) -> bool:
    return bool(select.select([sys.stdin], [], [], max(0.0, timeout))[0])


def leak(peers: Peers, seconds: float) -> None:
    """One more CLOSE_WAIT every so many seconds, at absolute times."""
    due = time.monotonic()
    while True:
        due += seconds
        if told_to_leave(due - time.monotonic()):
            return
        peers.close_wait()


def burst(peers: Peers, seconds: float) -> None:
    """Every so many seconds a handful of sockets that are closed again half-way to the next."""
    due = time.monotonic()
    while True:
        for _ in range(7):
            peers.close_wait()
        due += seconds / 2
        if told_to_leave(due - time.monotonic()):
            return
        while peers.kept:
            peers.kept.pop().close()
        due += seconds / 2
        if told_to_leave(due - time.monotonic()):
            return


def scatter(peers: Peers, seconds: float) -> None:
    """Every so many seconds 20 new connections, each to another address, in place of those before."""
    with socket.create_server(("", 0)) as listener:
        while not told_to_leave(seconds):
            for one in peers.kept:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                one.close()
            peers.kept.clear()
            for i in range(20):
                peers.kept.append(socket.create_connection((f"127.0.0.{i + 1}", listener.getsockname()[1])))
                peers.kept.append(listener.accept()[0])


def idle(peers: Peers, count: float) -> None:
    """So many idle CLOSE_WAIT sockets, as an idle pool holds them."""
    for _ in range(int(count)):
        peers.close_wait()


def many(peers: Peers, count: float) -> None:
    """So many TCP sockets, an eighth of them in CLOSE_WAIT; and as many as WAITING left in TIME_WAIT."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if count + 50 > soft >= 0:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for i in range(int(count) // 2):
        client, server = peers.connected()
        if i % 4 == 0:
            server.shutdown(socket.SHUT_WR)
        peers.kept += client, server
    for _ in range(int(sys.argv[3]) if len(sys.argv) > 3 else 0):
        client, server = peers.connected()
        client.close()
        server.close()


def child(peers: Peers, count: float) -> None:
    """A child with so many idle sockets; none here."""
    with subprocess.Popen(
        [sys.executable, __file__, "idle", str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        print("ready", flush=True)
        sys.stdin.read()
        process.communicate()


def fork(peers: Peers, count: float) -> None:
    """So many connections that a child of a fork holds, too."""
    peers.kept += [one for _ in range(int(count)) for one in peers.connected()[:1]]
    if os.fork() == 0:
        peers.listener.close()
        sys.stdin.read()
        os._exit(0)


def children(peers: Peers, count: float) -> None:
    """So many children, each of which leaks ten CLOSE_WAIT a second."""
    leak = [sys.executable, __file__, "leak", "0.1"]
    with ExitStack() as stack:
        for _ in range(int(count)):
            process = stack.enter_context(subprocess.Popen(leak, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            stack.callback(process.communicate)
            assert process.stdout is not None
            process.stdout.readline()
        print("ready", flush=True)
        sys.stdin.read()


def steps(peers: Peers) -> None:
    """One change for each line of stdin, of every kind that a look must not miss."""
    (mine, theirs), *rest = [peers.connected() for _ in range(6)]
    changes = [
        theirs.close,  # CLOSE_WAIT, and a descriptor less
        lambda: peers.kept.extend(peers.connected()),  # one of them with that descriptor
        lambda: (reset(rest[0][1]), rest[0][0].recv(1)),  # CLOSE: only a descriptor
        mine.close,
        rest[1][0].close,  # FIN_WAIT2 without an owner
        lambda: peers.kept.append(socket.socket(socket.AF_UNIX)),  # a descriptor that is nobody's in the table
    ]
    for change in changes:
        sys.stdin.readline()
        with contextlib.suppress(ConnectionResetError):
            change()
        print("ready", flush=True)
    sys.stdin.readline()


def reset(one: socket.socket) -> None:
    """Close without a word: the peer's socket is in no table any more."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    one.close()


def main() -> None:
    name, number = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    peers = Peers()
    if name in ("leak", "burst", "scatter"):
        print("ready", flush=True)
        {"leak": leak, "burst": burst, "scatter": scatter}[name](peers, number)
        return
    if name == "steps":
        print("ready", flush=True)
        steps(peers)
        return
    {"idle": idle, "many": many, "child": child, "children": children, "fork": fork}[name](peers, number)
    print("ready", flush=True)
    sys.stdin.read()
    for one in peers.kept:  # a reset leaves no TIME_WAIT behind, which the next look would have to pass
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


if __name__ == "__main__":
    main()
