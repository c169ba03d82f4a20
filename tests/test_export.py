"""`hermes-diag export`: real processes, scraped over HTTP as Prometheus does."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import Cli
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from hermes_diag.leakguard import traced
from hermes_diag.reporters.openmetrics import Collector
from hermes_diag.watch.fleet import Fleet, Found, by_remote
from hermes_diag.watch.records import Tick

Target = Callable[..., int]
Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@contextmanager
def exporting(*arguments: object) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A running exporter and its URL; ended with Ctrl-C."""
    command = [sys.executable, "-m", "hermes_diag", "export", *map(str, arguments), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stderr
            found = re.search(r"http://\S+", running.stderr.readline())
            assert found
            yield found[0], running
        finally:
            running.send_signal(signal.SIGINT)
            assert running.wait(20) == 0


def scraped(url: str) -> Samples:
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": OPENMETRICS}), timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        return samples(openmetrics(answer.read().decode()))


def samples(families: Iterator[object]) -> Samples:
    found: Samples = {}
    for family in families:
        for one in family.samples:  # type: ignore[attr-defined]
            found.setdefault(one.name, {})[tuple(sorted(one.labels.items()))] = one.value
    return found


def of(found: Samples, name: str, **labels: object) -> list[float]:
    wanted = {name: str(value) for name, value in labels.items()}
    series = found.get(f"hermes_diag_{name}", {})
    return [value for key, value in series.items() if wanted.items() <= dict(key).items()]


def until(url: str, ready: Callable[[Samples], object]) -> Samples:
    while True:
        found = scraped(url)
        if ready(found):
            return found
        time.sleep(0.1)


def test_a_leak_and_a_healthy_process(target: Target) -> None:
    leaking, quiet = target("leak", 0.05), target("idle", 2)
    with exporting("--pid", leaking, "--pid", quiet, "--interval", "0.1s") as (url, _):
        found = until(url, lambda seen: of(seen, "verdict", target=leaking, hermes_diag_verdict="failing") == [1])
    assert of(found, "up") == [1, 1]
    assert of(found, "sockets", target=leaking, state="CLOSE_WAIT")[0] > 5
    (growth,) = of(found, "growth_per_hour", target=leaking, of="CLOSE_WAIT")
    (low,) = of(found, "growth_per_hour_low", target=leaking, of="CLOSE_WAIT")
    (high,) = of(found, "growth_per_hour_high", target=leaking, of="CLOSE_WAIT")
    assert 0 < low <= growth <= high
    assert of(found, "limit_seconds", target=leaking)[0] > 0
    assert of(found, "close_wait_oldest_seconds", target=leaking)[0] > 0
    assert of(found, "verdict", target=quiet, hermes_diag_verdict="failing") == [0]
    assert of(found, "growth_per_hour", target=quiet, of="CLOSE_WAIT") == [0]
    assert of(found, "limit_seconds", target=quiet) == []


def test_the_lines_that_opened_the_sockets(tmp_path: Path) -> None:
    """Of a process with a recorder: bounded, the rest together."""
    boxes = tmp_path / "boxes"
    boxes.mkdir(mode=0o700)
    code = "import socket, time\nserver = socket.create_server(('127.0.0.1', 0))\nkept = []\n" + "".join(
        f"kept += [socket.create_connection(server.getsockname()) for _ in range({number})]\n" for number in (3, 2, 1)
    )
    (tmp_path / "opens.py").write_text(code + "print('ready', flush=True)\ntime.sleep(60)\n")
    environment = traced.environment(boxes, False)
    command = [sys.executable, str(tmp_path / "opens.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as program:
        try:
            assert program.stdout
            assert program.stdout.readline() == b"ready\n"
            with exporting("--pid", program.pid, "--interval", "0.1s", "--max-remotes", "2") as (url, _):
                found = until(url, lambda seen: of(seen, "sockets_opened_at", target=program.pid))
        finally:
            program.kill()
    assert of(
        found,
        "sockets_opened_at",
        line="opens.py:4 in <module>" if sys.version_info >= (3, 12) else "opens.py:4 in <listcomp>",
    ) == [3]
    assert sum(of(found, "sockets_opened_at", target=program.pid)) == 7
    assert len(of(found, "sockets_opened_at", target=program.pid)) == 3


def test_a_target_dies(target: Target) -> None:
    pid = target("idle", 2)
    with exporting("--pid", pid, "--interval", "0.1s") as (url, _):
        until(url, lambda seen: of(seen, "up", target=pid) == [1])
        os.kill(pid, signal.SIGKILL)
        found = until(url, lambda seen: of(seen, "up", target=pid) == [0])
    assert of(found, "fds", target=pid) == []
    assert of(found, "sample_errors_total", target=pid)[0] >= 1


def test_targets_come_and_go() -> None:
    """A name that returns with another PID is looked at; one that has gone is down once, and then no more told."""
    there = [Found("me", os.getpid())]
    fleet = Fleet(lambda: there, 1.0)
    fleet.sample()
    assert fleet.targets["me"].up
    there[:] = [Found("me", 2**22 + 1)]
    fleet.sample()
    assert not fleet.targets["me"].up
    assert "no process" in fleet.targets["me"].why
    there[:] = [Found("me", os.getpid())]
    fleet.sample()
    assert fleet.targets["me"].up
    there.clear()
    fleet.sample()
    assert fleet.targets["me"].up, "it is still there, only nobody names it any more"


def test_a_textfile_is_written_whole(tmp_path: Path) -> None:
    file = tmp_path / "diag.prom"
    command = [sys.executable, "-m", "hermes_diag", "export", "--pid", str(os.getpid()), "--interval", "0.1s"]
    with subprocess.Popen([*command, "--textfile", str(file)]) as running:
        while not file.exists():
            time.sleep(0.05)
        for _ in range(20):
            assert of(samples(plain(file.read_text())), "up") == [1]
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0


def test_what_is_refused(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for arguments, code, said in (
            ((), 2, "which processes?"),
            (("--pid", 1, "--gateway"), 2, "which processes?"),
            (("--pid", 1, "--listen", "0.0.0.0:9464"), 2, "add --allow-remote"),
            (("--pid", 1, "--listen", "localhost:9464"), 2, "no address"),
            (("--pid", 1, "--listen", "127.0.0.1"), 2, "no port"),
            (("--pid", 1, "--listen", f"127.0.0.1:{port}"), 3, f"cannot listen on 127.0.0.1:{port}"),
        ):
            ran = cli("export", *arguments)
            assert (ran.returncode, ran.stdout) == (code, ""), ran.stderr
            assert said in ran.stderr
            assert "Traceback" not in ran.stderr


def test_remotes_are_bounded() -> None:
    remotes = {f"10.0.0.{number}:443": {"ESTABLISHED": number, "CLOSE_WAIT": 1} for number in range(1, 9)}
    tick = Tick(0, 0, {"ESTABLISHED": 40, "CLOSE_WAIT": 8}, {}, 0, 1, 1, 1, None, 1, 1, remotes)
    found = by_remote(tick, 2)
    assert {remote for _, remote in found} == {"10.0.0.8:443", "10.0.0.7:443", "other"}
    assert sum(count for (state, _), count in found.items() if state == "ESTABLISHED") == 40
    assert found["CLOSE_WAIT", "other"] == 6


@pytest.mark.parametrize("seed", range(20))
def test_any_name_comes_back_as_it_was(seed: int) -> None:
    """Names of processes are whatever somebody wrote into them."""
    chance = random.Random(seed)
    name = "".join(chance.choice('ab"\\\n{}=,é \t#') for _ in range(30))
    fleet = Fleet(lambda: [Found(name, os.getpid())], 1.0)
    fleet.sample()
    registry = CollectorRegistry()
    registry.register(Collector(fleet, 5))
    found = samples(plain(generate_latest(registry).decode()))
    assert of(found, "up", target=name) == [1]


def test_after_hours_the_younger_watch_takes_over(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernel knows of the ages of sockets is not lost then."""
    monkeypatch.setattr("hermes_diag.watch.fleet.LONG", 0.4)
    pid = target("idle", 2)
    fleet = Fleet(lambda: [Found("one", pid)], 0.05)
    ages = []
    until_ = time.monotonic() + 1.2
    while time.monotonic() < until_:
        fleet.sample()
        ages.append(fleet.targets["one"].oldest())
        time.sleep(0.05)
    summary = fleet.targets["one"].summary
    assert summary
    assert summary.seconds < 0.7, "it began anew"
    assert ages == sorted(ages)
    assert ages[-1] > 0.9
