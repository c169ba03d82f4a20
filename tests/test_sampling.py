"""Both backends see the same sockets, and see what a per-process view cannot."""

from __future__ import annotations

import os
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType

import pytest

from hermes_diag.errors import CannotMeasure
from hermes_diag.model import Sample
from hermes_diag.sampling import look
from hermes_diag.sampling.backends import BACKENDS, load, pick, sock_diag

WORKING = [pytest.param(load(name), id=name) for name in BACKENDS if not load(name).available()]
LINUX = sys.platform.startswith("linux")


@contextmanager
def pairs(count: int) -> Iterator[tuple[list[socket.socket], list[socket.socket], tuple[str, int]]]:
    """Connected (clients, servers, address of the listener)."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = listener.getsockname()
        clients = [stack.enter_context(socket.create_connection(address)) for _ in range(count)]
        servers = [stack.enter_context(listener.accept()[0]) for _ in range(count)]
        yield clients, servers, address


def sample(backend: ModuleType, address: tuple[str, int]) -> Sample:
    """Of this process."""
    rows = look.rows(backend, os.getpid(), address)
    return look.sample(rows, backend, os.getpid(), 0.0, 0.0, "idle", 1)


@pytest.mark.parametrize("backend", WORKING)
def test_states_towards_an_endpoint(backend: ModuleType) -> None:
    """Only the client sides towards the endpoint, each in its state, with owner and fd."""
    with pairs(5) as (clients, servers, address):
        for server in servers[:2]:
            server.close()
        rows = look.rows(backend, os.getpid(), address)
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
        (row,) = look.rows(backend, os.getppid(), address)
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
