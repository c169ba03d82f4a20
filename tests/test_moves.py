"""When each connection of a cell was opened and closed, and which state its socket was in meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

from conftest import Cli
from test_sampling import pairs

from hermes_diag.run import capture
from hermes_diag.watch import snapshot
from hermes_diag.watch.tables import load, names

BACKEND = next(load(name) for name in names() if not load(name).available())


def test_only_what_is_new_is_told() -> None:
    """A socket is told when it comes, when its state is another one, and when it is gone."""
    with pairs(2) as (clients, servers, address):
        moves = snapshot.Moves()
        ports = [client.getsockname()[1] for client in clients]

        def moved(at: float) -> dict[str, set[int]] | None:
            found = moves.since(snapshot.take(BACKEND, os.getpid(), [address]), at)
            return found and {state: set(ports) for state, ports in found.to.items()}

        assert moved(0.0) == {"ESTABLISHED": set(ports)}
        assert moved(1.0) is None
        servers[0].close()
        assert moved(2.0) == {"CLOSE_WAIT": {ports[0]}}
        clients[0].close()  # the last to close: nothing is left of it
        assert moved(3.0) == {"": {ports[0]}}


def test_a_run_says_when(cli: Cli, tmp_path: Path) -> None:
    """What nobody closes has no end on the client's side; turns and connections have the times of one clock."""
    saved = tmp_path / "run.jsonl"
    asked = "--strategy", "fixed", "--workload", "steady", "--sessions", 1, "--turns", 4
    done = cli("repro", *asked, "--set", "idle-close=never", "--save", saved)
    assert done.returncode in (0, 1), done.stderr
    by_name = {one.cell.name: one for one in capture.read(saved)[1]}
    for name, closes in (("fixed/close/steady", True), ("fixed/abandon/steady", False)):
        one = by_name[name]
        seen = {connection.serial: connection for connection in one.connections}
        last = {port: state for moved in one.moved for state, ports in moved.to.items() for port in ports}
        assert len(one.turns) == len(one.served) == 4
        for turn, served in zip(one.turns, one.served, strict=True):
            connection = seen[served.connection]
            assert connection.opened is not None
            assert turn.at is not None
            assert 0.0 < connection.opened <= turn.at  # of which the host hears a moment later
            assert connection.closed is not None
            if closes:
                assert connection.opened < connection.closed < one.samples[-1].at
            else:  # it is there at the last look, and goes with the process
                assert last[connection.port] == "ESTABLISHED"
                assert connection.closed > one.samples[-1].at
        assert [turn.at for turn in one.turns] == sorted(turn.at or 0.0 for turn in one.turns)
