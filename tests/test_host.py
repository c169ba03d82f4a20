"""Many who look at one host at the same moment read it once, and see what each would see alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from hermes_diag.watch import host, observer
from hermes_diag.watch.fleet import Fleet, Found
from hermes_diag.watch.host import Host
from hermes_diag.watch.observer import Observer
from hermes_diag.watch.records import Look
from hermes_diag.watch.tables import proc_net, sock_diag

Target = Callable[..., int]
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sock_diag is Linux only")


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[tuple[object, ...]]:
    """The arguments of each call from now on."""
    calls: list[tuple[object, ...]] = []
    real = getattr(module, name)

    def call(*arguments: object, **options: object) -> object:
        calls.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(module, name, call)
    return calls


def gist(look: Look) -> tuple[object, ...]:
    """What does not change while a process rests."""
    (process,) = look.processes
    return (
        Counter((row.state, row.local, row.remote) for row in look.rows),
        Counter(row.state for row in look.unowned if row.state == "ESTABLISHED"),
        look.closed,
        look.listening,
        process.fds,
    )


def test_a_round_reads_the_host_once(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer, "WHOLE", 0.0)
    pids = [target("idle", 3) for _ in range(4)]
    fleet = Fleet(lambda: [Found(str(pid), pid) for pid in pids], 15.0)
    asked = counted(monkeypatch, sock_diag, "table")
    fleet.sample()
    assert [states for (states,) in asked] == [()], "with ages, once for all four"
    asked.clear()
    fleet.sample()
    assert Counter(states for (states,) in asked) == {observer.tables.BUT_TIME_WAIT: 1, ("TIME_WAIT",): 1}
    assert [one.up for one in fleet.targets.values()] == [True] * 4


def test_together_they_see_what_each_sees_alone(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of processes that are in one table with many others, and after changes."""
    monkeypatch.setattr(observer, "WHOLE", 0.0)
    pids = [target("idle", 2), target("many", 40), target("child", 3), os.getpid()]
    shared = Host()
    together = [Observer(pid, host=shared) for pid in pids]
    for info in (True, False, False):
        seen = [gist(one.look(info)) for one in together]
        shared.renew()
        assert seen == [gist(Observer(pid).look(info)) for pid in pids]
        pids.append(target("idle", 1))
        together.append(Observer(pids[-1], host=shared))


def test_gateways_of_one_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sees the connections of the others, new ones in each round. One search through all processes says whose they
    are, and none is called ownerless."""
    code = "import socket, sys\nkept = []\n"
    code += "for _ in sys.stdin:\n    kept.append(socket.create_connection(('127.0.0.1', int(sys.argv[1]))))\n"
    code += "    print('ready', flush=True)\n"
    with socket.create_server(("127.0.0.1", 0)) as provider:
        command = [sys.executable, "-c", code, str(provider.getsockname()[1])]
        gateways = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)]
        try:
            fleet = Fleet(lambda: [Found(str(one.pid), one.pid) for one in gateways], 15.0)
            searched = counted(monkeypatch, host, "holders")
            for number in (1, 2, 3):
                for one in gateways:
                    assert one.stdin
                    assert one.stdout
                    one.stdin.write(b"\n")
                    one.stdin.flush()
                    assert one.stdout.readline() == b"ready\n"
                searched.clear()
                fleet.sample()
                assert len(searched) == 1
                for target in fleet.targets.values():
                    assert target.tick
                    assert target.tick.states == {"ESTABLISHED": number}
                    assert target.tick.unowned == {}
        finally:
            for one in gateways:
                one.communicate()


def test_a_search_is_not_older_than_the_table() -> None:
    """A socket that was opened after the search, and is in a table that was read later, is held nevertheless."""
    one, me = Host(), os.getpid()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        inodes = {os.fstat(listener.fileno()).st_ino}
        assert one.unheld(sock_diag, me, inodes, one.table(sock_diag, (), False, me).at)[0] == set()
        with socket.create_connection(listener.getsockname()) as later:
            table = one.table(proc_net, (), False, me)
            inode = os.fstat(later.fileno()).st_ino
            assert inode in table.inodes
            assert one.unheld(proc_net, me, {inode}, table.at)[0] == set()


def test_a_socket_that_was_closed_meanwhile_is_not_lost() -> None:
    """In the table, held by nobody at the search, and gone: it is not called a socket without an owner."""
    one, me = Host(), os.getpid()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        inode = os.fstat(client.fileno()).st_ino
        table = one.table(sock_diag, (), False, me)
        client.close()
        assert inode in table.inodes
        assert one.unheld(sock_diag, me, {inode}, table.at)[0] == set()
