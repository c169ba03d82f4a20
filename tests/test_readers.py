"""Which threads wait in a read: real threads in every kind of wait, their descriptors closed and given away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest
from conftest import ROOT, Cli

from hermes_diag.api import Provider
from hermes_diag.core import matrix
from hermes_diag.core.plan import Plan
from hermes_diag.core.sockets import SocketRow
from hermes_diag.hermes import cells as hermes_cells
from hermes_diag.run import lanes, payload, runner
from hermes_diag.run.cell_run import CellRun
from hermes_diag.run.interpreter import Target
from hermes_diag.watch import process, readers, stacks
from hermes_diag.watch.observer import Observer
from hermes_diag.watch.records import Look, Reader

pytestmark = [
    pytest.mark.skipif(not process.LINUX, reason="needs Linux"),
    pytest.mark.skipif(os.uname().machine not in ("x86_64", "aarch64"), reason="needs a known table of system calls"),
]
#: Of Yama, where the kernel has it: 1 lets a user trace descendants and who allows it, as tests/reading.py does.
SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")
ALLOWED = 2 if os.geteuid() == 0 or not SCOPE.exists() else 1 - int(SCOPE.read_text())
pytestmark.append(pytest.mark.skipif(ALLOWED < 0, reason="this system lets only root see what a thread waits for"))
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

Start = Callable[..., dict[str, Any]]
HERMES = os.environ.get("HERMES_DIAG_HERMES_PYTHON", "")
WORKERS = list(filter(None, os.environ.get("HERMES_DIAG_WORKER_PYTHONS", "").split(os.pathsep)))


@pytest.fixture
def reading() -> Iterator[Start]:
    """Starts a process of tests/reading.py and gives what it says."""
    with ExitStack() as stack:

        def start(*modes: str, python: str = sys.executable, user: int | None = None) -> dict[str, Any]:
            one = stack.enter_context(
                subprocess.Popen(
                    [python, str(ROOT / "tests" / "reading.py"), *modes],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    user=user,
                    group=user,
                    extra_groups=None if user is None else [],
                )
            )
            stack.callback(one.communicate)
            assert one.stdout is not None
            line = one.stdout.readline()
            assert line, "the process has ended"
            told: dict[str, Any] = json.loads(line)
            return told

        yield start


def look(told: dict[str, Any], backend: str = "auto") -> Look:
    """One look, of which the thread that always waits is a part: who sees nobody proves nothing."""
    seen = readers.added(Observer(told["pid"], backend).look())
    assert tuple(told["beacon"]) in {(one.tid, one.fd) for one in seen.readers}
    return seen


def the(told: dict[str, Any], mode: str, seen: Look) -> Reader:
    (found,) = (one for one in seen.readers if one.tid == told[mode][0])
    return found


@pytest.mark.parametrize("backend", ["sock_diag", "psutil"])
@pytest.mark.parametrize("mode", ["blocking", "timed", "continued", "tls"])
def test_a_thread_in_a_read(reading: Start, mode: str, backend: str) -> None:
    """The thread, its descriptor, the remote, and for how long at least: not longer than it lives."""
    told = reading(mode)
    seen = look(told, backend)
    found = the(told, mode, seen)
    assert (found.pid, found.fd, found.closed) == (told["pid"], told[mode][1], False)
    assert found.remote == ("127.0.0.1", told["port"])
    up = seen.at - seen.processes[0].started
    if found.seconds is not None:  # a kernel may be built without it
        assert 0 < found.seconds < up + 1
    assert (found.silent is not None) == (backend == "sock_diag")
    assert len(seen.readers) == 2


def test_the_wait_grows_and_begins_anew(reading: Start) -> None:
    """A later look says a longer wait of the same read."""
    told = reading("timed")
    first = the(told, "timed", look(told))
    if first.seconds is None:
        pytest.skip("this kernel does not say when a thread last ran")
    for _ in range(200):
        second = the(told, "timed", look(told))
        if (second.seconds or 0) > first.seconds + 0.2:
            break
    assert (second.seconds or 0) > first.seconds + 0.2


@pytest.mark.parametrize("mode", ["accepting", "accepting_timed", "writing", "polling", "loop", "pool", "pipe"])
def test_no_reader(reading: Start, mode: str) -> None:
    """Who waits for a connection, to write, for several sockets, for work or for a pipe reads no TCP socket."""
    told = reading(mode)
    assert [one.tid for one in look(told).readers] == [told["beacon"][0]]


@pytest.mark.parametrize(
    "mode", ["closed", "closed_timed", "reused_by_socket", "reused_by_file", "reused_by_file_without_timeout"]
)
def test_closed_while_read(reading: Start, mode: str) -> None:
    """The number of the descriptor is said, that it was closed, and the remote of the socket that nobody holds."""
    told = reading(mode)
    found = the(told, mode, look(told))
    assert (found.fd, found.closed) == (told[mode][1], True)
    assert found.remote == ("127.0.0.1", told["port"])
    assert found.silent is None


def test_a_filter_leaves_readers_out(reading: Start) -> None:
    """Of --remote and --state only sockets that they let pass are read by somebody."""
    told = reading("blocking")
    assert not readers.added(Observer(told["pid"], states=("CLOSE_WAIT",)).look()).readers
    assert not readers.added(Observer(told["pid"], wanted=lambda row: False).look()).readers


def test_text(cli: Cli, reading: Start) -> None:
    """A section of its own, and with py-spy the thread's name and line; a look never judges."""
    told = reading("blocking", "closed")
    done = cli("sockets", told["pid"], COLUMNS="200")
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    section = done.stdout.partition("Threads that wait in a read\n")[2]
    tid, fd = told["blocking"]
    assert f"  thread {tid} (blocking) fd {fd}, 127.0.0.1:{told['port']}" in section
    tid, fd = told["closed"]
    assert f"  thread {tid} (closed) fd {fd}, closed meanwhile, 127.0.0.1:{told['port']}" in section
    assert "      at reading.py:" in section
    assert " in read\n" in section
    assert "Not seen" not in done.stdout
    narrow = cli("sockets", told["pid"], COLUMNS="60").stdout
    assert max(map(len, narrow.splitlines())) <= 60


def test_json(cli: Cli, reading: Start) -> None:
    told = reading("timed")
    document = json.loads(cli("sockets", told["pid"], "--json").stdout)
    found = {one["thread"]: one for one in document["readers"]}
    assert found["timed"]["fd"] == told["timed"][1]
    assert found["timed"]["remote"] == f"127.0.0.1:{told['port']}"
    assert found["timed"]["lines"][0].startswith("reading.py:")
    assert found["timed"]["closed"] is False


def test_a_silent_stream_of_httpx(reading: Start) -> None:
    """The innermost line of the library, and the line of the program that called it."""
    with Provider(["first-event-then-silence"]) as provider:
        told = reading("httpx", f"{provider.base_url}/responses")
        found = the(told, "httpx", look(told))
        assert found.fd == told["httpx"][1]
        assert found.remote is not None
        assert provider.base_url.startswith(f"http://{found.remote[0]}:{found.remote[1]}/")
        assert found.thread == "httpx"
        assert len(found.lines) == 2
        assert found.lines[0].startswith("httpcore/")
        assert found.lines[1].startswith("reading.py:")
        assert found.lines[1].endswith(" in httpx.<locals>.stream") or found.lines[1].endswith(" in stream")


def test_a_process_without_readers_is_not_asked(target: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    """py-spy runs only where a thread waits in a read."""
    monkeypatch.setattr(stacks, "_py_spy", lambda: pytest.fail("asked"))
    seen = readers.added(Observer(target("idle", 2)).look())
    assert (seen.readers, seen.missing) == ((), ())


def test_without_py_spy(reading: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread and its descriptor are said all the same, and what would tell more."""
    monkeypatch.setattr(stacks, "_py_spy", lambda: None)
    told = reading("timed")
    seen = look(told)
    assert the(told, "timed", seen).fd == told["timed"][1]
    assert the(told, "timed", seen).lines == ()
    (missing,) = seen.missing
    assert (missing.why, missing.cure.startswith("pip install py-spy")) == ("py-spy is not installed", True)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 'Permission Denied: Try running again' >&2; exit 1", "may not read its memory"),
        ("echo 'Error: Failed to find python version' >&2; exit 1", "runs no Python, or one that this py-spy"),
        ("echo '{'", "runs no Python, or one that this py-spy"),
        ('echo \'[{"os_thread_id": null, "frames": []}]\'', "older than 3.11"),
        ("exec sleep 30", "did not answer within"),
    ],
)
def test_py_spy_fails(reading: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, why: str) -> None:
    """One line with a cure, and the look is as good as without it."""
    spy = tmp_path / "py-spy"
    spy.write_text(f"#!/bin/sh\n{script}\n")
    spy.chmod(0o755)
    monkeypatch.setattr(stacks, "_py_spy", lambda: str(spy))
    monkeypatch.setattr(stacks, "_PATIENCE", 0.5 if "sleep" in script else 10)
    told = reading("timed")
    seen = look(told)
    assert the(told, "timed", seen).fd == told["timed"][1]
    (missing,) = seen.missing
    assert why in missing.why
    assert missing.cure


@pytest.mark.skipif(not WORKERS, reason="HERMES_DIAG_WORKER_PYTHONS names no Pythons")
def test_an_old_python(reading: Start) -> None:
    """Before 3.11 Python does not keep the number of a thread: it is said, and the descriptor is."""
    told = reading("timed", python=next(one for one in WORKERS if "3.9" in one))
    seen = look(told)
    assert the(told, "timed", seen).fd == told["timed"][1]
    assert "older than 3.11" in seen.missing[0].why


@as_root
@pytest.mark.parametrize(
    ("hidden", "says"),
    [("task/{tid}/syscall", "the kernel tells what a thread waits for only to"), ("mem", "1 wait in poll()")],
)
def test_without_the_right(reading: Start, tmp_path: Path, hidden: str, says: str) -> None:
    """A user who may see the descriptors of a process and may not trace it is told so, in one line with a cure.

    The file is one that nobody but root may open, in a place of its own where the kernel's file would be.
    """
    if not shutil.which("unshare"):
        pytest.skip("needs unshare")
    told = reading("timed", user=65534)
    closed = tmp_path / "closed"
    closed.touch(0o600)
    path = f"/proc/{told['pid']}/{hidden.format(tid=told['timed'][0])}"
    drop = "setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all --inh-caps=-all"
    command = f"mount --bind {closed} {path} && exec {drop} {sys.executable} -m hermes_diag sockets {told['pid']}"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", command],
        capture_output=True, text=True, check=False, cwd="/", env={**os.environ, "COLUMNS": "300"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("Not seen: "))
    assert says in line
    assert f"process {told['pid']}" in line
    assert line.endswith("Cure: sudo.")
    assert "(timed)" not in done.stdout


class Looked(CellRun):
    """A cell that is looked at at each barrier, while the worker stands still."""

    looks: ClassVar[list[Look]] = []

    def _sample(self, rows: list[SocketRow], late: float, label: str, turns: int) -> None:
        if label != "tick":
            assert self._pid is not None
            Looked.looks.append(readers.added(Observer(self._pid).look()))
        super()._sample(rows, late, label, turns)


@pytest.mark.skipif(not HERMES, reason="HERMES_DIAG_HERMES_PYTHON names no Python with hermes-agent")
@pytest.mark.skipif(ALLOWED < 1, reason="Hermes does not allow that it is traced")
@pytest.mark.timeout(180)
def test_what_hermes_leaves_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stream that the watchdog of Hermes 0.19.0 gave up is read by a thread, which stands in a line of Hermes."""
    Looked.looks = []
    monkeypatch.setattr(runner, "CellRun", Looked)
    body = payload.load(None)
    plan = Plan(hermes_cells.make(("aborted",), matrix.Sizes(turns=2), (), mutate=False), body.info)
    assert runner.finish(runner.Runner(plan, [body.wire], lanes.interpreters(Target(HERMES))))
    counts = [len(seen.readers) for seen in Looked.looks]
    assert max(counts) == counts[-1] == 2, counts
    for one in Looked.looks[-1].readers:
        library, hermes = one.lines
        assert library.startswith("httpcore/")
        assert hermes.startswith("agent/codex_runtime.py:")
