"""`hermes-diag sockets` as an operator runs it: looks, watches, verdicts, conditions, refusals."""

from __future__ import annotations

import json
import os
import platform
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import typer
from conftest import Cli
from no_netlink import SOCKET

from hermes_diag.cli.app import build

LINUX = sys.platform.startswith("linux")
ROOT_USER = hasattr(os, "geteuid") and os.geteuid() == 0
linux = pytest.mark.skipif(not LINUX, reason="needs Linux")
as_root = pytest.mark.skipif(not (LINUX and ROOT_USER), reason="needs root on Linux")

Target = Callable[..., int]
COMMAND = [sys.executable, "-m", "hermes_diag", "sockets"]


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# --- one look ------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["auto", "psutil"])
def test_one_look(cli: Cli, target: Target, backend: str) -> None:
    """States, endpoints, fds against the limit, and no verdict: one count says nothing."""
    done = cli("sockets", "--pid", target("idle", 3), "--set", f"backend={backend}")
    assert done.returncode == 0, done.stderr
    assert re.search(r"CLOSE_WAIT\s+3", done.stdout)
    assert re.search(r"127\.0\.0\.1:\d+\s+CLOSE_WAIT\s+3", done.stdout)
    assert re.search(r"\d+ fds, 0% of the soft limit of", done.stdout)
    assert "thread" in done.stdout
    assert "leak" not in done.stdout
    assert not done.stderr
    if backend == "psutil":
        assert "Not seen: queues, timers, ages, round trips" in done.stdout
        assert "leave --set backend out" in " ".join(done.stdout.split())


def test_json_is_one_document(cli: Cli, target: Target) -> None:
    """--json prints a document with every socket and nothing else."""
    pid = target("idle", 2)
    document = json.loads(cli("sockets", "--pid", pid, "--json").stdout)
    assert document["states"]["CLOSE_WAIT"] == 2
    assert document["processes"][0]["pid"] == pid
    assert document["exit_code"] == 0
    assert [one["state"] for one in document["sockets"][:2]] == ["CLOSE_WAIT"] * 2


def test_narrowed(cli: Cli, target: Target) -> None:
    """--state, --remote by address, port and network, --set group-by."""
    pid = target("idle", 2)

    def states(*arguments: object) -> dict[str, int]:
        found: dict[str, int] = json.loads(cli("sockets", "--pid", pid, "--json", *arguments).stdout)["states"]
        return found

    assert states("--state", "close-wait") == {"CLOSE_WAIT": 2}
    assert states("--remote", "127.0.0.0/8") == {"CLOSE_WAIT": 2}
    assert states("--remote", "127.0.0.1:1") == {}
    assert states("--remote", "10.0.0.0/8", "--remote", "[::1]:5") == {}
    assert states("--remote", "localhost", "--set", "resolve=on") == {"CLOSE_WAIT": 2}
    assert re.search(r"port \d+\s+CLOSE_WAIT\s+2", cli("sockets", "--pid", pid, "--set", "group-by=port").stdout)
    assert "Remote" not in cli("sockets", "--pid", pid, "--set", "group-by=state").stdout


def test_children(cli: Cli, target: Target) -> None:
    """--children adds the sockets and descriptors of the process tree."""
    pid = target("child", 3)
    alone = json.loads(cli("sockets", "--pid", pid, "--json").stdout)
    tree = json.loads(cli("sockets", "--pid", pid, "--json", "--children").stdout)
    assert "CLOSE_WAIT" not in alone["states"]
    assert tree["states"]["CLOSE_WAIT"] == 3
    assert len(tree["processes"]) == 2
    (child,) = (one["pid"] for one in tree["processes"] if one["pid"] != pid)
    shown = cli("sockets", "--pid", pid, "--children").stdout
    assert re.search(rf"^  process {child} 3 sockets \(fds \d+ to \d+\) CLOSE_WAIT", shown, re.MULTILINE)
    every = cli("sockets", "--pid", pid, "--children", "-v").stdout
    assert len(re.findall(rf"^  process {child} fd \d+ CLOSE_WAIT", every, re.MULTILINE)) == 3
    assert "process" not in cli("sockets", "--pid", child).stdout.partition("Sockets to look at")[2]


@linux
def test_connections_of_two_processes(cli: Cli, target: Target) -> None:
    """A forked child holds a copy of each connection: that is said, in a look and in a watch."""
    pid = target("fork", 2)
    said = "2 connections are held by more than one process each"
    done = " ".join(cli("sockets", pid, "--children").stdout.split())
    assert re.search(rf"{said}.* \(127\.0\.0\.1:\d+ by {pid} and \d+, ", done)
    watched = cli("sockets", pid, "--children", "--watch", "--set", "count=12", "--interval", "20ms").stdout
    assert said in " ".join(watched.split())
    assert "more than one process" not in cli("sockets", target("child", 2), "--children").stdout


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_lines_fit(cli: Cli, target: Target, columns: str) -> None:
    """Nothing is wider than the terminal, and a pipe gets no escape codes."""
    done = cli("sockets", "--pid", target("idle", 3), COLUMNS=columns)
    assert max(map(len, done.stdout.splitlines())) <= int(columns)
    assert "\x1b" not in done.stdout


def test_head(target: Target) -> None:
    """A reader that leaves early gets no traceback, neither from a look nor from a watch."""
    pid = target("idle", 3)
    for extra in ("", "-v", "--json", "--watch --interval 10ms --set count=1000"):
        line = f"{shlex.join(COMMAND)} --pid {pid} {extra} | head -1"
        done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False, timeout=50)
        assert not done.stderr
        assert len(done.stdout.splitlines()) == 1


def test_secrets_stay(cli: Cli, tmp_path: Path) -> None:
    """Neither the command line nor the environment of the process is in any output."""
    secret = "sk-planted-s0ckets"
    code = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, secret],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TOKEN": secret},
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        saved = tmp_path / "w.jsonl"
        for extra in (["-v"], ["--json"], ["--watch", "--set", "count=2", "--interval", "10ms", "--save", saved]):
            done = cli("sockets", "--pid", process.pid, *extra)
            assert secret not in done.stdout + done.stderr
        assert secret not in saved.read_text()
        process.communicate()


def test_a_look_touches_nothing(target: Target) -> None:
    """A look opens no network socket, connects to nothing and sends no signal."""
    pid = target("idle", 1)
    code = (
        "import sys\n"
        "def hook(event, args):\n"
        "    if event == 'socket.__new__': assert args[1] in (16, -1), args\n"  # AF_NETLINK
        "    assert event not in ('socket.connect', 'socket.sendto', 'os.kill', 'socket.gethostbyaddr',\n"
        "                         'socket.getaddrinfo', 'subprocess.Popen', 'os.fork'), event\n"
        "    if event == 'open': assert not (args[2] or 0) & 3 or args[0] == '/dev/null', args\n"
        "sys.dont_write_bytecode = True\n"
        "sys.addaudithook(hook)\n"
        "from hermes_diag.cli import main\n"
        f"sys.argv[1:] = ['sockets', '--pid', '{pid}']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# --- watches -------------------------------------------------------------------------------------


def test_a_leak_is_found_with_its_rate(cli: Cli, target: Target) -> None:
    """Two CLOSE_WAIT a second: within 10 % in 60 samples, with remote, opened sockets and time to the limit."""
    done = cli("sockets", "--pid", target("leak", 0.5), "--watch", "--interval", "167ms", "--set", "count=60", "--json")
    assert done.returncode == 1, done.stderr
    *samples, summary = lines(done.stdout)
    assert len(samples) == summary["samples"] == 60
    courses = {one["name"]: one for one in summary["courses"]}
    for name in ("CLOSE_WAIT", "fds"):
        assert courses[name]["word"] == "growing"
        assert courses[name]["per_hour"] == pytest.approx(7200, rel=0.1)
        assert courses[name]["per_hour_low"] <= 7200 * 1.02
        assert courses[name]["per_hour_high"] >= 7200 * 0.98
    assert courses["threads"]["word"] == "steady"
    limit = samples[-1]["limit"]
    assert summary["until_limit"] == pytest.approx((limit - samples[-1]["fds"]) / 2, rel=0.12)
    (remote,) = summary["opened"]
    assert summary["opened"][remote] == pytest.approx(19, abs=2)
    assert remote in summary["verdict"]
    assert samples[-1]["oldest"]["CLOSE_WAIT"] == pytest.approx(10, abs=1.5)


def test_a_burst_is_no_leak(cli: Cli, target: Target) -> None:
    """Sockets that come and go, however many, are bursty and the exit code is 0."""
    done = cli(
        "sockets", "--pid", target("burst", 0.5), "--watch", "--interval", "50ms", "--set", "count=80", "--json",
        "--fail-on", "close_wait.growth > 3/s",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    summary = lines(done.stdout)[-1]
    courses = {one["name"]: one for one in summary["courses"]}
    assert courses["CLOSE_WAIT"]["word"] == courses["fds"]["word"] == "bursty"
    assert courses["CLOSE_WAIT"]["high"] == 7
    assert sum(summary["gone"].values()) >= 7
    assert summary["verdict"].startswith("no condition of --fail-on holds; bursty but returning to base; a leak slower")


def test_what_stays_is_told(cli: Cli, target: Target) -> None:
    """Of CLOSE_WAIT sockets that stay is said what was seen, and both readings that fit it; they are no problem."""
    done = cli("sockets", "--pid", target("idle", 3), "--watch", "--interval", "20ms", "--set", "count=12")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert re.search(r"steady; the 3 in CLOSE_WAIT have been the same ones for \S+ s; no new connection", said)
    assert "idle in a pool, or forgotten" in said
    assert re.search(r"a leak slower than [\d,]+/h would not have shown", said)


def test_too_short_is_no_verdict(cli: Cli, target: Target) -> None:
    """A few samples say so: exit code 3, never clean."""
    done = cli("sockets", "--pid", target("idle", 3), "--watch", "--interval", "20ms", "--set", "count=3")
    assert done.returncode == 3
    assert "too short to tell" in done.stdout


def test_a_watch_too_coarse_for_a_condition(cli: Cli, target: Target) -> None:
    """A second of quiet does not clear a process of five an hour: exit 3, with how long it takes."""
    watch = ("sockets", "--pid", target("idle", 3), "--watch", "--interval", "50ms", "--set", "count=20")
    done = cli(*watch, "--fail-on", "close_wait.growth > 5/h")
    assert done.returncode == 3, done.stdout
    assert "watch for 48 min at least" in " ".join(done.stdout.split())
    assert cli(*watch, "--fail-on", "close_wait.growth > 9/s").returncode == 0


def test_a_slow_leak_is_not_steady(cli: Cli, target: Target) -> None:
    """Three sockets in a watch are no jitter when none of them went away."""
    done = cli("sockets", "--pid", target("leak", 1), "--watch", "--interval", "100ms", "--set", "count=32")
    assert done.returncode in (1, 3), done.stdout
    assert "CLOSE_WAIT steady" not in done.stdout


@linux
def test_the_limit_is_that_of_each_process(cli: Cli, target: Target) -> None:
    """With --children the time that is left is of one process, not all slopes against one limit."""
    pid = target("children", 2)
    done = cli("sockets", "--pid", pid, "--children", "--watch", "--interval", "100ms", "--set", "count=30", "--json")
    *samples, summary = lines(done.stdout)
    assert done.returncode == 1, done.stderr
    fds, limit = max(samples[-1]["each"].values())
    assert len(samples[-1]["each"]) == 3
    assert summary["until_limit"] == pytest.approx((limit - fds) * 0.1, rel=0.15)
    assert re.search(r"process \d+ reaches its soft limit", summary["verdict"])


def test_a_watch_knows_ages(cli: Cli, target: Target) -> None:
    """What was in CLOSE_WAIT before the watch began has an age at least, and it grows."""
    pid = target("idle", 1)
    begun = time.monotonic()
    first, *_, last, _ = lines(
        cli("sockets", "--pid", pid, "--watch", "--interval", "200ms", "--set", "count=4", "--json").stdout
    )
    elapsed = time.monotonic() - begun
    ages = [one["oldest"]["CLOSE_WAIT"] for one in (first, last)]
    assert last["at"] >= 0.6
    assert ages[1] - ages[0] == pytest.approx(last["at"] - first["at"], abs=0.2)
    assert ages[1] <= elapsed + 1


@contextmanager
def watching(*arguments: object, **options: Any) -> Iterator[subprocess.Popen[str]]:
    command = [*COMMAND, *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **options
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_ctrl_c_prints_what_was_learnt(target: Target, tmp_path: Path, number: signal.Signals) -> None:
    """130, the summary so far, and a capture that can be read; SIGTERM ends a watch as Ctrl-C does."""
    saved = tmp_path / "w.jsonl"
    with watching("--pid", target("idle", 2), "--watch", "--interval", "20ms", "--save", saved) as process:
        assert process.stdout is not None
        for _ in range(15):
            process.stdout.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted: this is what was seen until then" in out
    assert "CLOSE_WAIT steady at 2" in out
    assert err == f"saved to {saved}\n"
    assert json.loads(saved.read_text().splitlines()[-1])["how"] == "interrupted"


def test_a_target_that_exits_ends_the_watch(tmp_path: Path) -> None:
    """With a summary that says so, and the capture too."""
    code = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as victim:
        assert victim.stdout is not None
        victim.stdout.readline()
        with watching("--pid", victim.pid, "--watch", "--interval", "20ms", "--json") as process:
            assert process.stdout is not None
            for _ in range(12):
                process.stdout.readline()
            victim.communicate()
            out, err = process.communicate(timeout=20)
    summary = lines(out)[-1]
    assert summary["ended"]["how"] == "exited"
    assert f"process {victim.pid} has ended" in summary["ended"]["detail"]
    assert process.returncode == 0, err


@linux
@pytest.mark.parametrize("backend", ["sock_diag", "psutil", "proc_net"])
def test_a_refusal_in_the_middle_of_a_watch(target: Target, tmp_path: Path, backend: str) -> None:
    """When the system gives us nothing more, what was seen until then is summed up; exit code 3."""
    import resource

    saved = tmp_path / "w.jsonl"
    options = ("--watch", "--interval", "20ms", "--save", saved, "--set", f"backend={backend}")
    with watching("--pid", target("idle", 2), *options) as process:
        assert process.stdout is not None
        for _ in range(12):
            process.stdout.readline()
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, 3))  # not one more descriptor
        out, err = process.communicate(timeout=20)
    assert process.returncode == 3
    assert "CLOSE_WAIT steady at 2" in out
    assert "Too many open files" in " ".join(out.split())
    assert err == f"saved to {saved}\n"
    assert json.loads(saved.read_text().splitlines()[-1])["how"] == "lost"


@linux
def test_a_full_disk_ends_no_watch(cli: Cli, target: Target) -> None:
    """The watch goes on, its verdict is printed, and that nothing could be saved is said, and is the exit code."""
    done = cli("sockets", "--pid", target("idle", 2), "--watch", "--interval", "20ms", "--set", "count=15",
               "--save", "/dev/full", "--force")  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "idle in a pool, or forgotten" in " ".join(done.stdout.split())
    assert done.stderr == "could not be saved to /dev/full: No space left on device\n"


@linux
def test_verbose_shows_every_endpoint_of_a_watch(cli: Cli, target: Target, tmp_path: Path) -> None:
    """-v is not ignored: opened and gone sockets of all endpoints, and so in the report of it."""
    saved = tmp_path / "w.jsonl"
    options = ("--watch", "--interval", "200ms", "--set", "count=15", "--save", saved)
    done = cli("sockets", "--pid", target("scatter", 0.2), *options, "-v")
    assert "more endpoints" not in done.stdout
    assert len(re.findall(r"^  127\.0\.0\.\d+:\d+ +\+", done.stdout, re.MULTILINE)) == 20
    assert "more endpoints (-v)" in cli("report", saved).stdout
    assert "more endpoints" not in cli("report", saved, "-v").stdout


def test_saved_and_reported(cli: Cli, target: Target, tmp_path: Path) -> None:
    """`report` says of a saved watch what the watch said, also when the capture was cut off."""
    saved = tmp_path / "w.jsonl"
    arguments = ("--watch", "--interval", "20ms", "--set", "count=15", "--save", saved)
    done = cli("sockets", "--pid", target("idle", 2), *arguments)
    again = cli("report", saved)
    assert again.returncode == done.returncode == 0, again.stderr
    assert again.stdout.strip() in done.stdout
    assert json.loads(cli("report", saved, "--json").stdout)["samples"] == 15
    whole = saved.read_bytes()
    saved.write_bytes(whole[: len(whole) * 2 // 3])
    cut = cli("report", saved)
    assert cut.returncode in (0, 3)
    assert "the capture ends before the watch did" in cut.stdout
    refused = cli("sockets", "--pid", os.getpid(), *arguments)
    assert refused.returncode == 2
    assert "--force" in refused.stderr


@pytest.mark.parametrize(
    ("condition", "code"),
    [("fds > 100%", 0), ("close_wait.growth > 5/h", 3), ("close_wait.growth > 9/s", 0), ("close_wait.age > 0s", 1)],
)
def test_report_exits_as_the_watch_did(cli: Cli, target: Target, tmp_path: Path, condition: str, code: int) -> None:
    """A capture keeps the conditions and what was found of them; cut off, they are judged again."""
    saved = tmp_path / "w.jsonl"
    options = ("--watch", "--interval", "50ms", "--set", "count=20", "--save", saved, "--fail-on", condition)
    done = cli("sockets", "--pid", target("idle", 2), *options)
    again = cli("report", saved)
    assert (done.returncode, again.returncode) == (code, code), done.stdout + again.stderr
    assert again.stdout.strip() in done.stdout
    assert f"--fail-on '{condition}'" in again.stdout
    *samples, ended, found = lines(saved.read_text())
    assert (ended["record"], found["record"], found["condition"]) == ("ended", "condition", condition)
    assert found["held"] is {0: False, 1: True, 3: None}[code]
    saved.write_text("".join(json.dumps(one) + "\n" for one in samples))
    assert cli("report", saved).returncode == code


HEAD = (
    b'{"record":"watch","schema":3,"watched":{"pid":1,"name":"x","started":0.0,"begun":0.0,"interval":1.0,'
    b'"backend":"psutil","why":""}}\n'
)


def tick(at: float) -> bytes:
    seen = {"states": {}, "unowned": {}, "closed": 0, "processes": 1, "fds": 3, "limit": 9, "used": 0.1, "threads": 1}
    return json.dumps({"record": "sample", "at": at, "late": 0, **seen, "rss": 1}).encode() + b"\n"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"record": "watch", "schema": 99}\n', "schema 99"),
        (b'{"record": "watch", "schema": 2}\n', "schema 2"),  # knows numbers only
        (b'{"record": "watch", "schema": 3, "watched": {"pid": "x"}}\n', "line 1"),
        (HEAD + b'{"record": "sample"}\n', "line 2"),
        (HEAD.replace(b'"why":""', b'"why":"","conditions":["pigs > 5"]'), "line 1: --fail-on 'pigs > 5'"),
        (HEAD + b"[]\n", "line 2: not a record"),
        (HEAD + b"\xff\n", "line 2: not a record"),
        (HEAD + b"[" * 100_000 + b"\n", "line 2: not a record"),
        (b"[" * 100_000 + b"\n", "is no capture"),
        (HEAD + tick(1) + tick(1), "line 3: its time is not after"),
        (HEAD + tick(5) + tick(1), "line 3: its time is not after"),
    ],
)
def test_captures_of_others(cli: Cli, tmp_path: Path, line: bytes, says: str) -> None:
    """A capture of another release, or one that was edited, is refused in words."""
    path = tmp_path / "w.jsonl"
    path.write_bytes(line)
    done = cli("report", path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@linux
def test_live_view(target: Target) -> None:
    """On a terminal a table with sparklines is redrawn in place and the summary remains."""
    pid = target("idle", 3)
    parent, child = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "--pid", str(pid), "--watch", "--interval", "100ms", "--set", "count=15"],
        stdout=child,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "30"},
    ) as process:
        os.close(child)
        out = b""
        while True:
            try:
                data = os.read(parent, 65536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            out += data
        assert process.stderr is not None
        assert not process.stderr.read()
        process.wait()
    os.close(parent)
    text = out.decode()
    assert process.returncode == 0
    assert "█" in text
    assert "q or Ctrl-C: end with the summary" in text
    assert "idle in a pool, or forgotten" in " ".join(text.split())


# --- conditions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("fds > 1%", 0),
        ("fds > 2", 1),
        ("threads >= 1", 1),
        ("rss > 100G", 0),
        ("close_wait.age > 10m", 0),
        ("close_wait.age >= 0s", 1),
        ("close_wait.age < 10m", 1),
        ("syn_sent.age < 10m", 0),
        ("syn_sent.age >= 0s", 0),
        ("fin_wait1.age > 1s", 0),
    ],
)
@linux
def test_conditions_of_a_look(cli: Cli, target: Target, condition: str, code: int) -> None:
    """Exit 1 with the condition that held, 0 when none does."""
    done = cli("sockets", "--pid", target("idle", 2), "--fail-on", condition)
    assert done.returncode == code, done.stdout + done.stderr
    assert f"--fail-on '{condition}' {'holds' if code else 'does not hold'}" in done.stdout


def test_an_age_that_nobody_tells(cli: Cli, target: Target) -> None:
    """psutil knows no ages: a look that cannot tell says so and is not clean."""
    pid = target("idle", 2)
    done = cli("sockets", "--pid", pid, "--fail-on", "close_wait.age > 10m", "--set", "backend=psutil")
    assert done.returncode == 3
    assert "cannot be told" in done.stdout


def test_a_condition_ends_a_watch(cli: Cli, target: Target) -> None:
    """A level or an age that holds ends the watch at once."""
    done = cli("sockets", "--pid", target("idle", 2), "--watch", "--fail-on", "close_wait.age > 500ms", "--json",
               "--interval", "50ms")  # fmt: skip
    assert done.returncode == 1
    summary = lines(done.stdout)[-1]
    assert summary["ended"]["how"] == "condition"
    assert summary["conditions"][0]["held"] is True


def test_growth_holds(cli: Cli, target: Target) -> None:
    """Growth is judged at the end of the watch; with conditions only they count."""
    pid = target("leak", 0.03)  # several between two looks: each look sees growth
    arguments = ("sockets", "--pid", pid, "--watch", "--interval", "100ms", "--set", "count=40")
    done = cli(*arguments, "--fail-on", "close_wait.growth > 5/h", "--fail-on", "fds > 80%")
    assert done.returncode == 1, done.stdout
    assert "'close_wait.growth > 5/h' holds" in done.stdout
    assert "'fds > 80%' does not hold" in " ".join(done.stdout.split())
    assert cli(*arguments[:-1], "count=5", "--fail-on", "close_wait.growth > 5/h").returncode == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--fail-on", "close_wait > 3"], "tells no leak"),
        (["--fail-on", "close_wait.growth > 5/h"], "one look shows no growth"),
        (["--watch", "--fail-on", "close_wait.growth > 5/h"], "judged at the end"),
        (["--fail-on", "fds >"], "no condition"),
        (["--fail-on", "fds > 5x"], "no unit"),
        (["--fail-on", "pigs > 5"], "nothing that is measured"),
        (["--fail-on", "close_wait.age > 5"], "unit"),
        (["--watch", "--set", "count=9", "--fail-on", "close_wait.growth > 5"], "per what"),
        (["--state", "listen", "--fail-on", "close_wait.age > 5s"], "leaves CLOSE_WAIT out"),
        (["--state", "nope"], "no such TCP state"),
        (["--remote", "example.org"], "sends no packet"),
        (["--remote", "10.0.0.0/99"], "no network"),
        (["--remote", "1.2.3.4:99999"], "no port"),
        (["--remote", "::1:80"], "a port or the end"),
        (["--watch", "--set", "group-by=port"], "--set group-by: has no effect here"),
        (["--json", "--set", "group-by=port"], "--set group-by: has no effect here"),
        (["--watch", "--set", "resolve=on"], "--set resolve: has no effect here"),
        (["--watch", "--set", "count=9", "--fail-on", "time_wait.growth > 5/h"], "belong to no process"),
        (["--fail-on", "x" * 5000], "no condition"),
        (["--set", "count=" + "9" * 5000, "--watch"], "number of looks"),
        (["--x\ny" + "z" * 5000], "No such option"),
        (["--interval", "1s"], "needs --watch"),
        (["--watch", "--interval", "0"], "no time"),
        (["--watch", "--set", "count=0"], "number of looks"),
        (["--force"], "needs --save"),
        (["--watch", "--interval", "2s", "--duration", "1s"], "--interval is longer than --duration"),
        (["--set", "count=3"], "add --watch"),
        (["--watch", "--set", "count=3", "--set", "count=4"], "is given twice"),
        (["--gateway"], "more than one process is named"),
        ([os.getpid()], "more than one process is named"),
        (["--set", "seed=3"], "has no effect here"),
        (["--set", "count=3"], "has no effect here"),
        (["--profile", "x"], "needs --gateway"),
        (["--set", "backend=magic"], "where socket tables come from"),
        (["--nonsense"], "No such option"),
    ],
)
def test_wrong_usage(cli: Cli, arguments: list[str], says: str) -> None:
    """One line that says what, one that says what to do; exit code 2."""
    done = cli("sockets", "--pid", os.getpid(), *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert len(done.stderr) < 500
    assert not done.stdout or json.loads(done.stdout)["error"]["message"] in done.stderr


# --- what cannot be looked at --------------------------------------------------------------------


@pytest.mark.parametrize(("pid", "code"), [("0", 2), ("-5", 2), ("x", 2), ("٣", 2), ("1_0", 2), ("999999999", 3)])
@pytest.mark.parametrize("backend", ["auto", "psutil"])
def test_no_process(cli: Cli, pid: str, code: int, backend: str) -> None:
    """A number that is no process, or of none that lives."""
    done = cli("sockets", "--pid", pid, "--set", f"backend={backend}")
    assert done.returncode == code
    assert pid in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_long_number_is_no_process(cli: Cli) -> None:
    """It is refused, and not echoed in full."""
    done = cli("sockets", "--pid", "1" * 5000)
    assert done.returncode == 2
    assert "no process number" in done.stderr
    assert len(done.stderr) < 300


@pytest.mark.parametrize("columns", ["50", "80"])
def test_help_fits(cli: Cli, columns: str) -> None:
    """The whole help is wrapped, the examples and the exit codes too."""
    done = cli("sockets", "--help", COLUMNS=columns)
    assert done.returncode == 0
    assert not [line for line in done.stdout.splitlines() if len(line) > int(columns)]
    assert "'close_wait.growth > 5/h'" in done.stdout


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("hermes-diag sockets --", {"--pid", "--fail-on", "--set", "--watch", "--children", "--verbose"}),
        ("hermes-diag sockets --watch --int", {"--interval"}),
        ("hermes-diag sockets --set ", {"backend=", "count="}),
        ("hermes-diag sockets --state ", {"close_wait", "established"}),
        ("hermes-diag sockets --fail-on ", {"close_wait.growth"}),
        ("hermes-diag scenarios ", {"cut-stream", "list"}),
        ("hermes-diag faults idle", {"idle-close", "idle-vanish"}),
        ("hermes-diag repro --fault rst", {"rst-mid-stream"}),
        ("hermes-diag repro --workload ", {"steady", "interrupted", "overlapping"}),
        ("hermes-diag repro --strategy ", {"buggy", "fixed"}),
        ("hermes-diag check --fail-on ", {"close_wait_left"}),
        ("hermes-diag check --allow close", {"close-releases:"}),
        ("hermes-diag so", {"sockets"}),
    ],
)
def test_completion(words: str, offered: set[str]) -> None:
    """At the first Tab: options, commands, and the names that an option takes."""
    assert offered <= completed(words)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("hermes-diag sockets --watch --int", '"--interval"'),
        ("hermes-diag repro --fault rst", '"rst-mid-stream":"So many events,'),
        ("hermes-diag scenarios ", '"closed-client"'),
        ("hermes-diag check --fail-on ", '"close_wait_left > ":"CLOSE_WAIT sockets'),
        ("hermes-diag sockets --state ", '"close_wait"'),
    ],
)
def test_completion_of_zsh(words: str, offered: str) -> None:
    """The same words, with what each means."""
    assert offered in complete("zsh", _TYPER_COMPLETE_ARGS=words)


def completed(words: str) -> set[str]:
    return set(complete("bash", COMP_WORDS=words, COMP_CWORD=str(len(words.split(" ")) - 1)).split())


def complete(shell: str, **environment: str) -> str:
    """What a shell is told at a Tab."""
    done = subprocess.run(
        [Path(sys.executable).with_name("hermes-diag")],
        env={**os.environ, **environment, "_HERMES_DIAG_COMPLETE": f"complete_{shell}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_completion_knows_every_option() -> None:
    """None is missing, and none is offered that the command would refuse."""
    command = typer.main.get_command(build(["sockets"])).commands["sockets"]  # type: ignore[attr-defined]
    options = {max(one.opts, key=len) for one in command.params}
    assert completed("hermes-diag sockets --") == {one for one in options if one.startswith("--")} | {"--help"}


def test_the_app_runs_the_same_command(target: Target, capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever calls the typer application gets what the command line gives."""
    arguments = ["sockets", "--pid", str(target("idle", 2)), "--state", "close_wait", "--state", "listen", "--json"]
    assert build(arguments)(arguments, standalone_mode=False) == 0
    assert json.loads(capfd.readouterr().out)["states"] == {"CLOSE_WAIT": 2, "LISTEN": 1}


@pytest.mark.parametrize("backend", ["auto", "psutil"])
def test_zombie(cli: Cli, backend: str) -> None:
    """A process that has ended and was not collected has no sockets any more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        done = cli("sockets", "--pid", process.pid, "--set", f"backend={backend}")
    assert done.returncode == 3
    assert "zombie" in done.stderr


@linux
def test_kernel_thread_and_thread(cli: Cli, target: Target) -> None:
    """A kernel thread has no descriptors; a thread is told its process."""
    kernel = next((one.pid for one in psutil.process_iter() if one.ppid() == 2), None)
    if kernel is not None:  # a container does not show them
        done = cli("sockets", "--pid", kernel)
        assert (done.returncode, "kernel thread" in done.stderr) == (3, True)


#: Root without any of its powers: reads its own files, and may look at nobody else's processes. Its
#: group goes, too: hidepid hides nothing from group 0.
POWERLESS = ["setpriv", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]


@contextmanager
def stranger() -> Iterator[int]:
    """The PID of a process of another user."""
    with subprocess.Popen(["sleep", "100"], user=65534) as process:
        try:
            yield process.pid
        finally:
            process.kill()


@linux
@pytest.mark.parametrize("backend", ["auto", "psutil"])
def test_not_allowed(backend: str) -> None:
    """Another user's process: who it is, and what would allow it."""
    if ROOT_USER:
        with stranger() as pid:
            command = [*POWERLESS, *COMMAND, "--pid", str(pid), "--set", f"backend={backend}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
    else:
        command = [*COMMAND, "--pid", "1", "--set", f"backend={backend}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "not allowed" in done.stderr
    assert f"which runs as {'nobody' if ROOT_USER else 'root'}" in done.stderr
    # For root to copy: the absolute path, since root's PATH does not lead to a virtualenv.
    assert re.search("CAP_SYS_PTRACE" if ROOT_USER else r"sudo /\S+ (-m hermes_diag )?sockets \d+", done.stderr)
    assert ("sudo" in done.stderr) is not ROOT_USER  # root gains nothing by it


@as_root
def test_proc_hidden() -> None:
    """Under hidepid a process that exists is not called missing."""
    with stranger() as pid:
        inner = f"mount -t proc -o hidepid=2 proc /proc && exec {shlex.join([*POWERLESS, *COMMAND])} --pid {pid}"
        done = subprocess.run(["unshare", "-m", "sh", "-c", inner], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "/proc hides it" in done.stderr


@as_root
def test_who_is_hidden_may_hold_a_socket() -> None:
    """A connection of a process that /proc hides goes to the same remote: it is not called ownerless."""
    connect = "import socket, sys; one = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); sys.stdin.read()"
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:
        command = ["/usr/bin/python3", "-c", connect, str(listener.getsockname()[1])]
        for powers, user in ([], 65534), (POWERLESS, 0):
            process = stack.enter_context(subprocess.Popen([*powers, *command], user=user, stdin=subprocess.PIPE))
            stack.callback(process.communicate)
            stack.enter_context(listener.accept()[0])
        shown = shlex.join([*POWERLESS, *COMMAND, "--pid", str(process.pid), "--json"])
        inner = f"mount -t proc -o hidepid=2 proc /proc && exec {shown}"
        done = subprocess.run(["unshare", "-m", "sh", "-c", inner], capture_output=True, text=True, check=False)
    document = json.loads(done.stdout)
    # An earlier user of this port may have left closed connections, in TIME_WAIT, which are nobody's.
    assert set(document["unowned"]) <= {"TIME_WAIT"}
    assert "some sockets without an owner" in {one["what"] for one in document["missing"]}


@linux
def test_few_descriptors_of_our_own(target: Target) -> None:
    """A limit of 64 fds on ourselves is enough, for a look and for a watch."""
    pid = target("many", 200)
    for extra in ("", "--watch --set count=3 --interval 20ms"):
        line = f"ulimit -n 64 && exec {shlex.join(COMMAND)} --pid {pid} {extra}"
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
        assert done.returncode in (0, 3), done.stderr
        assert "CLOSE_WAIT" in done.stdout
        assert not done.stderr


@as_root
def test_other_namespace(cli: Cli) -> None:
    """A process in another network namespace is noticed and read through its /proc files."""
    loopback, program = (str(Path(__file__).with_name(name)) for name in ("loopback.py", "target.py"))
    inner = '"$0" "$1" && exec "$0" "$2" idle 3'
    with subprocess.Popen(
        ["unshare", "-n", "sh", "-c", inner, sys.executable, loopback, program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        done = cli("sockets", "--pid", process.pid)
        refused = cli("sockets", "--pid", process.pid, "--set", "backend=sock_diag")
        process.communicate()
    assert done.returncode == 0, done.stderr
    assert "seen by proc_net (the process lives in another network namespace)" in done.stdout
    assert re.search(r"CLOSE_WAIT\s+3", done.stdout)
    assert refused.returncode == 3
    assert "another network namespace" in refused.stderr
    assert f"nsenter -t {process.pid} -n" in " ".join(done.stdout.split())


@as_root
def test_a_child_in_another_namespace(cli: Cli) -> None:
    """Its sockets are in no table that is read: that is said, and they are not called reset."""
    loopback, program = (str(Path(__file__).with_name(name)) for name in ("loopback.py", "target.py"))
    inner = f"{sys.executable} {loopback} && exec {sys.executable} {program} idle 7"
    parent = f"import subprocess; subprocess.run(['unshare', '-n', 'sh', '-c', {inner!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        done = cli("sockets", process.pid, "--children")
        process.communicate()
    assert done.returncode == 0, done.stderr
    assert "only an fd is left" not in done.stdout
    assert "another network namespace" in " ".join(done.stdout.split())


@linux
def test_proc_net_by_choice(cli: Cli, target: Target) -> None:
    """In our own namespace the cure for what it does not see is another backend."""
    done = cli("sockets", "--pid", target("idle", 3), "--set", "backend=proc_net")
    assert re.search(r"CLOSE_WAIT\s+3", done.stdout)
    assert "nsenter" not in done.stdout
    assert "Cure: leave --set backend out" in " ".join(done.stdout.split())


@as_root
def test_a_pid_that_comes_again(tmp_path: Path) -> None:
    """In a PID namespace of its own a real PID is given anew in the middle of a watch."""
    script = f"""
        sleep 100 & one=$!
        {shlex.join(COMMAND)} --pid $one --watch --interval 100ms --json > {tmp_path}/out & watch=$!
        while [ ! -s {tmp_path}/out ]; do sleep 0.02; done
        kill -STOP $watch; kill $one; wait $one
        echo $((one - 1)) > /proc/sys/kernel/ns_last_pid
        sleep 100 & two=$!
        kill -CONT $watch; wait $watch
        echo $one $two; kill $two
    """
    command = ["unshare", "-p", "-m", "--fork", "--mount-proc", "bash", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    one, two = done.stdout.split()
    if one != two:
        pytest.skip("PIDs cannot be chosen here")
    assert lines((tmp_path / "out").read_text())[-1]["ended"]["how"] == "replaced"


@linux
@pytest.mark.skipif(platform.machine() not in SOCKET, reason="the number of a system call is not known here")
def test_netlink_refused(target: Target) -> None:
    """Where the kernel refuses netlink auto takes psutil and says why; forced it is an error."""
    command = [
        sys.executable,
        str(Path(__file__).with_name("no_netlink.py")),
        *COMMAND,
        "--pid",
        str(target("idle", 2)),
    ]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)

    look = run()
    assert look.returncode == 0, look.stderr
    assert "seen by psutil (the kernel refuses sock_diag: Operation not permitted)" in look.stdout
    assert re.search(r"CLOSE_WAIT\s+2", look.stdout)
    watch = run("--watch", "--set", "count=12", "--interval", "20ms")
    assert watch.returncode == 0, watch.stderr
    forced = run("--set", "backend=sock_diag")
    assert forced.returncode == 3
    assert "the kernel refuses sock_diag: Operation not permitted" in forced.stderr
    assert len(forced.stderr.splitlines()) == 2


@pytest.mark.parametrize("portable", [False, True])
def test_portable_path(target: Target, portable: bool) -> None:
    """psutil tells the same of a process as /proc does."""
    from hermes_diag.watch import process
    from hermes_diag.watch.observer import Observer

    if not portable and not LINUX:
        pytest.skip("needs Linux")
    pid = target("child", 2)
    seen = Observer(pid, "psutil", children=True, portable=portable).look()
    assert len(seen.processes) == 2
    first, me = seen.processes[0], psutil.Process(pid)
    assert (first.pid, first.name, first.threads) == (pid, me.name(), 1)
    assert first.started == pytest.approx(me.create_time(), abs=1.5)
    assert first.fds == me.num_fds()
    assert sum(row.state == "CLOSE_WAIT" for row in seen.rows) == 2
    with pytest.raises(process.Ended):
        Observer(999999999, portable=portable)


def test_pid_reuse_ends_a_watch(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process with the same PID is not the one that was watched."""
    from hermes_diag.watch.observer import Observer
    from hermes_diag.watch.watch import Watch

    eye = Observer(target("idle", 1))
    watch = Watch(eye, 0.01, count=50)
    samples = iter(watch)
    next(samples)
    monkeypatch.setattr(eye, "_identity", -1.0)
    assert list(samples) == []
    assert watch.ended.how == "replaced"
    assert "another process" in watch.ended.detail


def test_our_own_descriptors_do_not_grow(target: Target) -> None:
    """A hundred samples leave no descriptor open here."""
    from hermes_diag.watch.observer import Observer

    eye = Observer(target("idle", 2))
    eye.look()
    me = psutil.Process()
    before = me.num_fds()
    for _ in range(100):
        eye.look(info=False)
    assert me.num_fds() == before
