"""A process with sockets in every state: all backends and `ss` agree, and each number is right."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hermes_diag.core.sockets import SocketRow
from hermes_diag.watch import explain
from hermes_diag.watch.observer import Observer
from hermes_diag.watch.records import Look
from hermes_diag.watch.tables import load, names

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the states are made with Linux means"),
    pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl for a certificate"),
]

NAMES = [name for name in names() if not load(name).available()]
SS = {"ESTAB": "ESTABLISHED", "UNCONN": "CLOSE"}


@pytest.fixture(scope="module")
def zoo() -> Iterator[dict[str, Any]]:
    command = [sys.executable, str(Path(__file__).with_name("zoo.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the zoo has ended"
        yield json.loads(line)
        process.communicate()


def look(zoo: dict[str, Any], backend: str) -> Look:
    return Observer(zoo["pid"], backend).look()


def ports(zoo: dict[str, Any]) -> set[int]:
    return {row.local[1] for row in look(zoo, "sock_diag").rows if row.state == "LISTEN"}


def wanted(zoo: dict[str, Any]) -> dict[str, int]:
    """How many sockets of each state the zoo holds."""
    deaf = {"FIN_WAIT1": 2, "FIN_WAIT2": 5, "CLOSING": 1, "LAST_ACK": 1} if zoo["deaf"] else {}
    return {"LISTEN": 3, "SYN_SENT": 7, "FIN_WAIT2": 4, "CLOSE_WAIT": 5, **deaf}


@pytest.mark.parametrize("backend", NAMES)
def test_counts(zoo: dict[str, Any], backend: str) -> None:
    """Each backend finds every state that was made, and what has no owner, and what is only an fd."""
    seen = look(zoo, backend)
    states = Counter(row.state for row in seen.rows)
    for state, count in wanted(zoo).items():
        assert states[state] == count, state
    unowned = Counter(row.state for row in seen.unowned)
    # What was closed before on the same port waits there as well, so that ours is asked for by its address.
    waiting = [row.state for row in seen.unowned if row.local == tuple(zoo["time_wait"])]
    if time.monotonic() - zoo["waits_since"] < 55:  # the kernel keeps it for a minute; a busy machine may be slower
        assert waiting == ["TIME_WAIT"]
    assert unowned["FIN_WAIT2"] == 1
    assert unowned["ESTABLISHED"] == 1
    assert [fd for _, fd, _ in seen.closed or ()] == zoo["closed"]
    addresses = {row.remote[0] for row in seen.rows if row.state == "ESTABLISHED"}
    assert {"127.0.0.1", "::1", "::ffff:127.0.0.1"} <= addresses


def test_backends_agree(zoo: dict[str, Any]) -> None:
    """The same sockets with the same owners by every backend, one by one."""

    def owners(seen: Look) -> set[tuple[Any, ...]]:
        return {(row.state, row.local, row.remote, row.pid, row.fd) for row in seen.rows}

    reference = look(zoo, "psutil")
    for backend in NAMES:
        seen = look(zoo, backend)
        assert owners(seen) == owners(reference), backend
        assert Counter(row.state for row in seen.unowned) == Counter(row.state for row in reference.unowned)


def from_ss(text: str) -> dict[tuple[str, str], tuple[str, int, int, str, int]]:
    """(local, remote) -> state, Recv-Q, Send-Q, timer, inode of the output of `ss -tanoeH`."""
    found = {}
    for line in text.splitlines():
        state, recv_q, send_q, local, remote, *_ = line.split()
        timer = re.search(r"timer:\((\w+),", line)
        inode = re.search(r"ino:(\d+)", line)
        name = SS.get(state, state.replace("-", "_")).replace("FIN_WAIT_", "FIN_WAIT")
        key = (local.replace("[", "").replace("]", ""), remote.replace("[", "").replace("]", "").replace("*", "0"))
        found[key] = (name, int(recv_q), int(send_q), timer[1] if timer else "", int(inode[1]) if inode else 0)
    return found


def key(row: SocketRow) -> tuple[str, str]:
    return f"{row.local[0]}:{row.local[1]}", f"{row.remote[0]}:{row.remote[1]}"


@pytest.mark.skipif(not shutil.which("ss"), reason="needs ss of iproute2")
@pytest.mark.parametrize("backend", ["sock_diag", "proc_net"])
def test_ss_agrees(zoo: dict[str, Any], backend: str) -> None:
    """State, queues, timers and inodes are those of `ss`, for every socket of the zoo."""
    served = ports(zoo)
    done = subprocess.run(["ss", "-tanoeH"], capture_output=True, text=True, check=True)
    theirs = from_ss(done.stdout)
    ours = {
        key(row): (row.state, row.recv_q, row.send_q, row.timer, row.inode or 0)
        for row in load(backend).table(pid=zoo["pid"])
        if served & {row.local[1], row.remote[1]}
    }
    assert len(ours) > 40
    for one, values in ours.items():
        if backend == "proc_net" and values[0] == "LISTEN":
            values = (*values[:2], theirs[one][2], *values[3:])  # the file has no limit of a backlog
        assert theirs[one] == values, one
    assert ours.keys() == {one for one in theirs if served & {int(part.rpartition(":")[2]) for part in one}}


def test_queues_are_explained(zoo: dict[str, Any]) -> None:
    """0, 1, 25 and 5,000 unread bytes in CLOSE_WAIT each mean something else."""
    rows = {row.fd: row for row in look(zoo, "sock_diag").rows}
    said = {}
    for fd, unread in zoo["close_wait"].items():
        row = rows[int(fd)]
        assert (row.state, row.recv_q) == ("CLOSE_WAIT", unread)
        said[unread] = explain.recv_q(row)
    assert "end of the stream" in said[0]
    assert "bare FIN" in said[1]
    assert "close_notify" in said[25]
    assert "4,999 bytes of unread body" in said[5000]


def test_keepalive_and_ages(zoo: dict[str, Any]) -> None:
    """The keepalive timer is seen where it runs and only there; ages and round trips are there."""
    rows = {row.fd: row for row in look(zoo, "sock_diag").rows}
    assert rows[zoo["keepalive"]].keepalive is True
    assert rows[zoo["unread"]].keepalive is False
    assert rows[zoo["unread"]].recv_q == 300
    for row in rows.values():
        if row.state in ("ESTABLISHED", "CLOSE_WAIT"):
            assert row.silent_ms is not None
            assert row.acked_ms is not None
            assert 0 <= row.acked_ms <= row.silent_ms + 50 < 120_000
            assert row.rtt_ms is not None
    assert (rows[zoo["unread"]].memory or 0) >= 300


def test_kinds(zoo: dict[str, Any]) -> None:
    """Descriptors by kind: sockets in state CLOSE are TCP, a SQLite file is named."""
    (process,) = look(zoo, "sock_diag").processes
    assert process.kinds is not None
    assert process.kinds["TCP"] == len(look(zoo, "sock_diag").rows) + len(zoo["closed"])
    assert process.kinds["unix"] == 2
    assert process.sqlite == {"state.db": 1}
    assert process.fds == sum(process.kinds.values())


@pytest.mark.parametrize("backend", NAMES)
def test_filters(zoo: dict[str, Any], backend: str) -> None:
    """--state asks for these only, and CLOSE is not what another state left out."""
    seen = Observer(zoo["pid"], backend, states=("CLOSE_WAIT",)).look()
    assert {row.state for row in seen.rows} == {"CLOSE_WAIT"}
    assert not seen.closed
    assert seen.processes[0].fds == look(zoo, backend).processes[0].fds
    seen = Observer(zoo["pid"], backend, states=("LISTEN",)).look()
    assert [row.state for row in seen.rows] == ["LISTEN"] * 3
    seen = Observer(zoo["pid"], backend, states=("CLOSE",)).look()
    assert not seen.rows
    assert [fd for _, fd, _ in seen.closed or ()] == zoo["closed"]


def test_a_cheap_look_counts_the_same(zoo: dict[str, Any]) -> None:
    """What a watch takes has the counts of a whole look."""
    eye = Observer(zoo["pid"])
    whole = eye.look()
    for _ in range(3):
        cheap = eye.look(info=False)
        assert Counter(row.state for row in cheap.rows) == Counter(row.state for row in whole.rows)
        assert cheap.closed == whole.closed
        assert len(cheap.unowned) == len(whole.unowned)
        assert cheap.processes[0].fds == whole.processes[0].fds
