"""`hermes-diag export`: real processes, scraped over HTTP as Prometheus does."""

from __future__ import annotations

import gc
import gzip
import itertools
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import tracemalloc
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hostile
import pytest
from conftest import Cli
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from hermes_diag.core.text import escaped, without_commands
from hermes_diag.leakguard import traced
from hermes_diag.reporters.openmetrics import Collector
from hermes_diag.watch.fleet import Fleet, Found, by_remote
from hermes_diag.watch.fleet import Target as WatchedTarget
from hermes_diag.watch.host import Host
from hermes_diag.watch.records import Tick

Target = Callable[..., int]
Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
#: A program of Prometheus that checks what is scraped; "" where it is not.
PROMTOOL = os.environ.get("HERMES_DIAG_PROMETHEUS", "") and f"{os.environ['HERMES_DIAG_PROMETHEUS']}/promtool"


@contextmanager
def exporting(*arguments: object, listen: str = "127.0.0.1:0") -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A running exporter and its URL; ended with Ctrl-C."""
    command = [sys.executable, "-m", "hermes_diag", "export", *map(str, arguments), "--listen", listen]
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
            (("--pid", 1, "--listen", "[::]:9464"), 2, "add --allow-remote"),
            (("--pid", 1, "--listen", f"127.0.0.1:{port}"), 3, f"cannot listen on 127.0.0.1:{port}: Address already"),
            (("--pid", 1, "--listen", "192.0.2.1:0", "--allow-remote"), 3, "cannot listen on 192.0.2.1:0: Cannot"),
            (("--pid", 1, "--textfile", "missing/x.prom"), 3, "cannot write missing/x.prom: No such"),
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


#: What a name may be made of: any text, and any bytes as Python reads them from the system.
NAMES = st.one_of(
    st.text(max_size=40), st.binary(max_size=40).map(os.fsdecode), st.text('ab"\\\n\r{}=,é \t#', max_size=40)
)


@settings(deadline=None)  # where there is a promtool, each starts one
@given(
    name=NAMES,
    remotes=st.lists(st.text(max_size=40), max_size=8, unique=True),
    files=st.lists(NAMES, max_size=8, unique=True),
)
def test_any_name_comes_back_as_it_was(name: str, remotes: list[str], files: list[str]) -> None:
    """Names of processes, remotes and files are whatever somebody wrote into them. Both formats say the same, and
    promtool has nothing to say against them, where there is one."""
    fleet = Fleet(list, 1.0)
    one = fleet.targets["one"] = target_of(Found(name, 1))
    one.tick = Tick(
        0, 0, {"CLOSE_WAIT": len(remotes)}, {}, 0, 1, 1, 1, None, 1, 1, {r: {"CLOSE_WAIT": 1} for r in remotes}
    )
    one.places = {f"{file}:3 in f": 2 for file in files}
    registry = CollectorRegistry()
    registry.register(Collector(fleet, 5))
    text, newer = generate_latest(registry), generate_openmetrics(registry)
    found = samples(plain(text.decode()))
    assert found == samples(openmetrics(newer.decode()))
    shown = shown_as(name)
    assert of(found, "up", target=shown) == [1]
    seen = {dict(key)["remote"] for key in found.get("hermes_diag_sockets", {})} - {"other"}
    assert seen <= set(map(shown_as, remotes))
    assert sum(of(found, "sockets", target=shown)) == len(remotes)
    assert sum(of(found, "sockets_opened_at", target=shown)) == 2 * len(files)
    if PROMTOOL:
        ran = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, check=False)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


def shown_as(name: str) -> str:
    """Without what a terminal would obey, on which somebody may look at the metrics."""
    shown = "\n".join(map(escaped, name.split("\n")))
    assert hostile.effects(shown.encode()) in ([], ["command ##["]) or "::" in shown
    return without_commands(shown)


def target_of(found: Found) -> WatchedTarget:
    return WatchedTarget(found, 1.0, lambda look: {}, Host(), up=True)


def test_a_process_whose_name_is_no_text() -> None:
    """Its name is whatever bytes it gave itself; the others are told, too."""
    code = "import ctypes, os, sys; ctypes.CDLL(None).prctl(15, os.fsencode(sys.argv[1]))\n"
    code += "print('ready', flush=True)\nsys.stdin.read()\n"
    name = b'odd\xff"\n{'
    with subprocess.Popen([sys.executable, "-c", code, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        with exporting("--discover", "odd*", "--interval", "0.1s") as (url, _):
            found = until(url, lambda seen: of(seen, "up", pid=process.pid) == [1])
        process.communicate()
    assert of(found, "up", target='odd\\udcff"\n{') == [1]


#: What asks for metrics, and which format it gets: Prometheus 2.42 and 3 (of which the receiver of the OpenTelemetry
#: collector is made), the same where it wants histograms of the newer kind, and anybody with a browser.
ASKERS = {
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1": "application/openmetrics-text",
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;"
    "q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,"
    "*/*;q=0.2": "application/openmetrics-text",
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,"
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=1.0.0;"
    "escaping=allow-utf-8;q=0.4,*/*;q=0.2": "application/openmetrics-text",
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1": "text/plain",
    "text/html,*/*;q=0.8": "text/plain",
}


def test_whoever_asks_gets_the_same_numbers(target: Target) -> None:
    """Each in a format that it takes, also compressed."""
    pid = target("idle", 2)
    answers = []
    with exporting("--pid", pid, "--interval", "1h") as (url, _):
        until(url, lambda seen: of(seen, "up", target=pid) == [1])
        for accept, kind in ASKERS.items():
            for coding in ("identity", "gzip"):
                asked = urllib.request.Request(url, headers={"Accept": accept, "Accept-Encoding": coding})
                with urllib.request.urlopen(asked, timeout=10) as answer:
                    assert answer.headers["Content-Type"].startswith(kind)
                    assert answer.headers.get("Content-Encoding", "identity") == coding
                    text = (gzip.decompress if coding == "gzip" else bytes)(answer.read()).decode()
                answers.append(samples((openmetrics if "openmetrics" in kind else plain)(text)))
    assert answers[0]
    assert all(one == answers[0] for one in answers)


def test_a_process_that_returns(tmp_path: Path) -> None:
    """The same name with another PID: the first one is told no more."""
    program = tmp_path / "hd-returns"
    program.symlink_to("/bin/sleep")
    with exporting("--discover", "hd-return?", "--interval", "0.1s") as (url, _):
        for _ in range(2):
            with subprocess.Popen([program, "100"]) as process:
                found = until(url, lambda seen: of(seen, "up", target="hd-returns") == [1])
                assert of(found, "up", target="hd-returns", pid=process.pid) == [1]
                process.kill()
            until(url, lambda seen: "hermes_diag_fds" not in seen)
        until(url, lambda seen: "hermes_diag_up" not in seen)


@pytest.mark.parametrize("listen", ["[::1]:0", "127.0.0.2:0"])
def test_any_loopback_address(listen: str) -> None:
    with exporting("--pid", os.getpid(), listen=listen) as (url, _):
        assert url.startswith(f"http://{listen[:-1]}")
        until(url, lambda seen: of(seen, "up") == [1])


def test_others_reach_it_only_where_it_is_allowed() -> None:
    with exporting("--pid", os.getpid(), "--allow-remote", listen="0.0.0.0:0") as (url, _):
        until(url.replace("0.0.0.0", "127.0.0.1"), lambda seen: of(seen, "up") == [1])


@pytest.mark.parametrize(("count", "most"), [(1000, 0.02), (16000, 0.1)])
def test_a_scrape_of_many_sockets_is_quick(target: Target, count: int, most: float) -> None:
    """The promise is of seconds; the best of several is taken, since others may need the processor, too."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = min(count, hard - 100) if hard > 0 else count
    pid = target("many", count)
    fleet = Fleet(lambda: [Found("one", pid)], 15.0)
    fleet.sample()
    registry = CollectorRegistry()
    registry.register(Collector(fleet, 20))
    times = []
    for _ in range(7):
        begun = time.perf_counter()
        text = generate_latest(registry).decode()
        times.append(time.perf_counter() - begun)
    assert sum(of(samples(plain(text)), "sockets", target="one")) >= count
    assert min(times) < most


def test_scrapes_leave_nothing_behind() -> None:
    """Memory after 1,000 of them is what it was after 100."""
    fleet = Fleet(lambda: [Found("me", os.getpid())], 15.0)
    fleet.sample()
    registry = CollectorRegistry()
    registry.register(Collector(fleet, 20))
    tracemalloc.start()
    try:
        sizes = []
        for count in (100, 900):
            for _ in range(count):
                generate_latest(registry)
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[1] - sizes[0] < 20_000


def test_after_hours_the_younger_watch_takes_over(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernel knows of the ages of sockets is not lost then."""
    monkeypatch.setattr("hermes_diag.watch.fleet.LONG", 0.4)
    pid = target("idle", 2)
    fleet = Fleet(lambda: [Found("one", pid)], 0.05)
    ages = []
    begun = time.monotonic()
    while time.monotonic() < begun + 1.2:
        fleet.sample()
        ages.append(fleet.targets["one"].oldest())
        time.sleep(0.05)
    summary = fleet.targets["one"].summary
    assert summary
    assert summary.seconds < time.monotonic() - begun - 0.3, "it began anew"
    # A watch that knew nothing of before would fall by 0.2 s. A busy machine may stop us between a table and the clock.
    assert all(later > earlier - 0.15 for earlier, later in itertools.pairwise(ages))
    assert ages[-1] > 0.9


#: The exporter, which gets a signal while the lock of whatever it waits with is held.
AT_THE_WRONG_MOMENT = """\
import select, signal, sys, threading
from hermes_diag.cli import run

def interrupted(wait):
    def waits(*arguments):
        between_looks = type(arguments[-1]) is float and arguments[-1] > 1
        if between_looks and threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGINT)
        return wait(*arguments)
    return waits

threading.Condition.wait = interrupted(threading.Condition.wait)
select.select = interrupted(select.select)
sys.exit(run(["export", "--pid", sys.argv[1], "--interval", "60s", "--listen", "127.0.0.1:0"]))
"""


def test_a_signal_at_the_wrong_moment_ends_it(target: Target) -> None:
    command = [sys.executable, "-c", AT_THE_WRONG_MOMENT, str(target("idle", 1))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
