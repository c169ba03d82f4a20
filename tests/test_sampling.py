"""Both backends see the same sockets, and see what a per-process view cannot."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from hermes_diag.core.errors import CannotMeasure
from hermes_diag.core.evidence import Sample
from hermes_diag.core.sockets import SocketRow
from hermes_diag.watch import backlog, host, observer, snapshot
from hermes_diag.watch.observer import Observer
from hermes_diag.watch.tables import load, names, pick, proc_net, sock_diag

WORKING = [pytest.param(load(name), id=name) for name in names() if not load(name).available()]
LINUX = sys.platform.startswith("linux")


def unused() -> socket.socket:
    """A listener at a port towards which no earlier connection waits in TIME_WAIT: the kernel gives such ports, too."""
    while True:
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        if not any(one.raddr and one.raddr.port == port for one in psutil.net_connections("tcp")):
            return listener
        listener.close()


@contextmanager
def pairs(count: int) -> Iterator[tuple[list[socket.socket], list[socket.socket], tuple[str, int]]]:
    """Connected (clients, servers, address of the listener)."""
    with ExitStack() as stack:
        listener = stack.enter_context(unused())
        address = listener.getsockname()
        clients = [stack.enter_context(socket.create_connection(address)) for _ in range(count)]
        servers = [stack.enter_context(listener.accept()[0]) for _ in range(count)]
        yield clients, servers, address


def sample(backend: ModuleType, address: tuple[str, int]) -> Sample:
    """Of this process."""
    return snapshot.sample(snapshot.take(backend, os.getpid(), [address]), os.getpid(), 0.0, 0.0, "idle", 1)


@pytest.mark.parametrize("backend", WORKING)
def test_states_towards_an_endpoint(backend: ModuleType) -> None:
    """Only the client sides towards the endpoint, each in its state, with owner and fd."""
    with pairs(5) as (clients, servers, address):
        for server in servers[:2]:
            server.close()
        rows = snapshot.take(backend, os.getpid(), [address]).rows
        assert Counter(row.state for row in rows) == {"ESTABLISHED": 3, "CLOSE_WAIT": 2}
        assert {row.pid for row in rows} == {os.getpid()}
        assert {row.fd for row in rows} == {client.fileno() for client in clients}
        assert {row.local for row in rows} == {client.getsockname() for client in clients}
        only = backend.table(["CLOSE_WAIT"], port=address[1], pid=os.getpid())
        assert [row.local for row in only] == [row.local for row in rows if row.state == "CLOSE_WAIT"]


@pytest.mark.parametrize("backend", WORKING)
def test_other_processes_are_no_owner(backend: ModuleType) -> None:
    """A socket of a process that was not asked about counts, without an owner."""
    with pairs(1) as (_, _, address):
        (row,) = snapshot.take(backend, os.getppid(), [address]).rows
        assert (row.pid, row.fd) == (None, None)


@pytest.mark.parametrize("backend", WORKING)
def test_a_sample_sees_ownerless_sockets(backend: ModuleType) -> None:
    """A socket that the client has closed waits for the other side without an owner."""
    with pairs(2) as (clients, _, address):
        clients[0].close()
        seen = sample(backend, address)
        assert seen.states["ESTABLISHED"] == 1
        assert seen.owned == {"ESTABLISHED": 1}
        # FIN_WAIT1 until the other side's delayed ACK.
        assert seen.ownerless("FIN_WAIT1") + seen.ownerless("FIN_WAIT2") == 1
        assert seen.ownerless("ESTABLISHED") == 0
        assert seen.fds
        assert seen.threads
        assert seen.rss


@pytest.mark.skipif(not LINUX, reason="/proc/net/tcp is Linux only")
def test_a_socket_that_is_in_the_file_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel repeats lines of /proc/net/tcp when sockets come and go while it is read: each counts once."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as one:
        lines = Path("/proc/self/net/tcp").read_bytes().splitlines(keepends=True)
        twice = b"".join((*lines, *lines[1:]))
        monkeypatch.setattr(proc_net, "_FILES", proc_net._FILES[:1])
        monkeypatch.setattr(proc_net, "open", lambda path, mode: io.BytesIO(twice), raising=False)
        both = one.getsockname(), listener.getsockname()  # an earlier connection may have left TIME_WAIT at that port
        ours = [row for row in proc_net.table() if (row.local, row.remote) == both]
    assert len(ours) == 1


@pytest.mark.skipif(not LINUX, reason="the size of a listener's queue is known on Linux only")
def test_a_queue_that_is_full() -> None:
    """Told when one more than fits waits, in cheap looks too, and not before; never by tables without its size."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=2))
        address = listener.getsockname()
        eye = eye_on(address, "auto")
        for waiting in (1, 2, 3):
            stack.enter_context(socket.create_connection(address))
            for info in (True, False):
                found = backlog.fullest(eye.look(info))
                assert (found is not None) == (waiting == 3)
        assert found is not None
        assert (found.endpoint, found.waiting, found.size) == (f"127.0.0.1:{address[1]}", 3, 2)
        stack.enter_context(listener.accept()[0])
        assert backlog.fullest(eye.look()) is None
        assert backlog.fullest(eye_on(address, "psutil").look()) is None


@pytest.mark.skipif(not LINUX, reason="the descriptors of a process are read on Linux only")
@pytest.mark.parametrize("backend", WORKING)
@pytest.mark.parametrize("busy", [1, 100])
def test_rows_and_descriptors_are_of_one_moment(backend: ModuleType, busy: int) -> None:
    """A process that changes between the table and the list of its descriptors is looked at again, but not for ever.

    Of two readings at two moments, a socket that was closed in between would be ESTABLISHED without an owner, and
    more sockets would have an owner than there are descriptors.
    """
    with pairs(10) as (clients, _, address):
        asked = 0

        def table(*states: object, port: int | None = None, pid: int) -> list[SocketRow]:
            nonlocal asked
            rows: list[SocketRow] = backend.table(*states, port=port, pid=pid)
            if port is not None:
                asked += 1
                if asked <= busy:
                    clients.pop().close()
            return rows

        changing = ModuleType("changing")
        vars(changing).update(table=table, KNOWS_INODES=backend.KNOWS_INODES)
        seen = sample(changing, address)
        assert asked == (2 if busy == 1 else snapshot.TRIES)
        assert seen.fds is not None
        assert seen.unlisted is not None
        assert sum(seen.owned.values()) + seen.unlisted <= seen.fds
        assert sum(seen.owned.values()) == len(clients)
        if busy == 1:
            assert seen.ownerless("ESTABLISHED") == 0


class Netlink(socket.socket):
    """The kernel's answers, with the first row of the first `wrong` ones told of as CLOSE."""

    wrong = 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        answer = bytearray(super().recv(size, flags))
        if Netlink.wrong and len(answer) > sock_diag._HEADER.size + 4:  # more than the end of a dump
            Netlink.wrong -= 1
            answer[sock_diag._HEADER.size + 1] = sock_diag.STATES["CLOSE"]
        return bytes(answer)


@pytest.mark.skipif(bool(sock_diag.available()), reason=sock_diag.available())
@pytest.mark.parametrize("wrong", [1, 4, 5])
def test_a_socket_caught_between_two_states(monkeypatch: pytest.MonkeyPatch, wrong: int) -> None:
    """The kernel is asked again; it does not answer for ever, and then this is no look."""
    with pairs(2) as (_, _, address), monkeypatch.context() as patch:
        patch.setattr(socket, "socket", Netlink)
        patch.setattr(Netlink, "wrong", wrong)
        if wrong == sock_diag._TRIES:
            with pytest.raises(BlockingIOError):
                sock_diag.table(port=address[1])
        else:
            assert [row.state for row in sock_diag.table(port=address[1])] == ["ESTABLISHED"] * 2


@pytest.mark.skipif(not LINUX, reason="only Linux names the protocol of a socket that is in no table")
@pytest.mark.parametrize("backend", WORKING)
def test_a_reset_socket_is_only_a_descriptor(backend: ModuleType) -> None:
    """State CLOSE is in no TCP table: such fds are counted, bound and connected ones are not."""
    with pairs(2) as (clients, servers, address):
        before = sample(backend, address).unlisted
        servers[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        servers[0].close()  # RST
        with pytest.raises(ConnectionResetError):
            clients[0].recv(1)
        assert before is not None
        assert sample(backend, address).unlisted == before + 1


def test_the_choice_is_explained() -> None:
    """auto takes the first that works; a forced one that does not is refused with the reason."""
    backend, name, why = pick(os.getpid())
    assert backend is load(name)
    assert why
    assert pick(os.getpid(), "psutil") == (load("psutil"), "psutil", "asked for")
    if not LINUX:
        with pytest.raises(CannotMeasure, match="Linux only"):
            pick(os.getpid(), "sock_diag")


@pytest.mark.skipif(not LINUX, reason="sock_diag is Linux only")
def test_a_socket_that_is_accepted_late_gets_its_inode() -> None:
    """A row kept from the last call is made anew when accept() gives the socket an owner."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        known: sock_diag.Rows = {}

        def inode() -> int | None:
            (row,) = [row for row in sock_diag.table(known=known) if row.local == address and row.remote == peer]
            return row.inode

        with socket.create_connection(address) as client:
            peer = client.getsockname()
            assert inode() is None
            with listener.accept()[0] as server:
                assert inode() == os.fstat(server.fileno()).st_ino


def reset(one: socket.socket) -> None:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    one.close()


def eye_on(address: tuple[str, int], backend: str) -> Observer:
    """Looks at what this process has to do with an address."""
    return Observer(os.getpid(), backend, wanted=lambda row: address in (row.local, row.remote))


@pytest.mark.skipif(not LINUX, reason="the descriptors of a process are read on Linux only")
@pytest.mark.parametrize("backend", [name for name in names() if not load(name).available()])
def test_cheap_looks_follow_every_change(backend: str) -> None:
    """What is kept from look to look hides no socket that was opened, changed its state or was closed, and no fd."""
    command = [sys.executable, str(Path(__file__).with_name("target.py")), "steps"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        kept = Observer(process.pid, backend)
        kept.look()
        steps = 0
        while True:
            process.stdin.write(b"go\n")
            process.stdin.flush()
            if process.stdout.readline() != b"ready\n":
                break
            steps += 1
            whole = Observer(process.pid, backend).look()
            for _ in range(2):  # the second look finds all as it was
                cheap = kept.look(info=False)
                assert settled(cheap.rows) == settled(whole.rows), steps
                let_go = [row for row in whole.unowned if row.state != "TIME_WAIT"]  # which are read more rarely
                assert settled(row for row in cheap.unowned if row.state != "TIME_WAIT") == settled(let_go), steps
                assert (cheap.closed, cheap.processes[0].fds) == (whole.closed, whole.processes[0].fds), steps
        assert steps == 6
        process.communicate()


def settled(rows: Iterable[SocketRow]) -> Counter[tuple[str, int, int]]:
    """State and ports; of a FIN it is left open whether its acknowledgement has come."""
    return Counter((row.state.replace("FIN_WAIT1", "FIN_WAIT2"), row.local[1], row.remote[1]) for row in rows)


@pytest.mark.skipif(not LINUX, reason="sock_diag is Linux only")
def test_time_wait_is_seen_by_whole_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch reads the sockets in TIME_WAIT every few seconds, and knows them in between."""
    with pairs(1) as (clients, servers, address):
        kept = eye_on(address, "sock_diag")
        kept.look()
        clients[0].close()
        servers[0].close()
        assert not [row for row in kept.look(info=False).unowned if row.state == "TIME_WAIT"]
        with monkeypatch.context() as patch:
            patch.setattr(observer, "WHOLE", 0.0)
            assert [row.state for row in kept.look(info=False).unowned] == ["TIME_WAIT"]
        assert [row.state for row in kept.look(info=False).unowned] == ["TIME_WAIT"]


@pytest.mark.skipif(not LINUX, reason="sock_diag is Linux only")
def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets that come and go leave nothing behind in a watch."""
    monkeypatch.setattr(host, "_STALE", 10)
    states = observer.tables.BUT_TIME_WAIT
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        kept = eye_on(address, "sock_diag")
        kept.look()
        for _ in range(len(sock_diag.table(states)) + 50):  # two rows each
            with socket.create_connection(address) as client, listener.accept()[0] as server:
                kept.look(info=False)
                reset(client), reset(server)
            assert len(kept._host._kept[states]) <= 2 * len(kept._table.rows) + 10
