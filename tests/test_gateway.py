"""Finding a running Hermes gateway: pid files of all ages, profiles, and what is not a gateway any more."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from conftest import Cli

from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.hermes import home as hermes
from hermes_diag.watch import process

Target = Callable[..., int]


def start_of(pid: int) -> int:
    """As Hermes writes it."""
    if not process.LINUX:
        return round(psutil.Process(pid).create_time() * 100)
    return int(Path(f"/proc/{pid}/stat").read_text().split()[21])


def write(home: Path, pid: int, **fields: object) -> None:
    home.mkdir(parents=True, exist_ok=True)
    record = {"pid": pid, "kind": "hermes-gateway", "argv": ["--token", "sk-secret"], "start_time": start_of(pid)}
    (home / "gateway.pid").write_text(json.dumps({**record, **fields}))


def test_found_and_looked_at(cli: Cli, target: Target, tmp_path: Path) -> None:
    """--gateway finds the process of HERMES_HOME's pid file, and says nothing of its arguments."""
    pid = target("idle", 2)
    write(tmp_path, pid)
    before = sorted(tmp_path.iterdir())
    done = cli("sockets", "--gateway", HERMES_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"process {pid}" in done.stdout
    assert "sk-secret" not in done.stdout + done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_default_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without HERMES_HOME it is ~/.hermes."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert hermes.home({}) == tmp_path / ".hermes"
    assert hermes.home({"HERMES_HOME": "/x"}) == Path("/x")


def test_old_pid_file(cli: Cli, target: Target, tmp_path: Path) -> None:
    """A bare number is taken when the process is older than the file, and that it was not checked is said."""
    pid = target("idle", 1)
    (tmp_path / "gateway.pid").write_text(f"{pid}\n")
    done = cli("sockets", "--gateway", HERMES_HOME=str(tmp_path))
    assert done.returncode == 0
    assert "no start time to check" in done.stderr
    os.utime(tmp_path / "gateway.pid", (1, 1))
    done = cli("sockets", "--gateway", HERMES_HOME=str(tmp_path))
    assert done.returncode == 3
    assert "younger than the file" in done.stderr


def test_stale(cli: Cli, target: Target, tmp_path: Path) -> None:
    """A process that has ended, and a PID that another process has by now."""
    write(tmp_path, target("idle", 1), start_time=5)
    done = cli("sockets", "--gateway", HERMES_HOME=str(tmp_path))
    assert (done.returncode, "another process" in done.stderr) == (3, True)
    (tmp_path / "gateway.pid").write_text('{"pid": 999999999, "start_time": 5}')
    done = cli("sockets", "--gateway", HERMES_HOME=str(tmp_path))
    assert (done.returncode, "stale: process 999999999 has ended" in done.stderr) == (3, True)
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize(
    "text", ["", "x", "{}", "[1]", "9" * 400, '{"pid": "5"}', '{"pid": -5}', "true", "1.5", "\0\xff", "[" * 9999]
)
def test_garbage(cli: Cli, tmp_path: Path, text: str) -> None:
    """What is no pid file is called that."""
    (tmp_path / "gateway.pid").write_text(text)
    with pytest.raises(CannotMeasure, match="is no pid file"):
        hermes.gateways(tmp_path)


def test_no_gateway(cli: Cli, tmp_path: Path) -> None:
    """No home, no pid file, no such profile: each has its own words."""
    done = cli("sockets", "--gateway", HERMES_HOME=str(tmp_path / "none"))
    assert (done.returncode, "no Hermes home" in done.stderr) == (2, True)
    done = cli("sockets", "--gateway", HERMES_HOME=str(tmp_path))
    assert (done.returncode, "no gateway is running" in done.stderr) == (3, True)
    for profile in ("work", "../..", ""):
        with pytest.raises(UsageError, match="no profile"):
            hermes.gateways(tmp_path, profile)


def test_profiles(cli: Cli, target: Target, tmp_path: Path) -> None:
    """Several are listed, --profile names one, and a dead one is no rival."""
    one, two = target("idle", 1), target("idle", 1)
    write(tmp_path / "profiles" / "work", one)
    (tmp_path / "gateway.pid").write_text('{"pid": 999999999, "start_time": 5}')
    environment = {"HERMES_HOME": str(tmp_path)}
    assert f"process {one}" in cli("sockets", "--gateway", **environment).stdout
    write(tmp_path / "profiles" / "play", two)
    done = cli("sockets", "--gateway", **environment)
    assert done.returncode == 2
    assert f"{one} (profile work)" in done.stderr
    assert f"{two} (profile play)" in done.stderr
    assert f"process {two}" in cli("sockets", "--gateway", "--profile", "play", **environment).stdout


def test_one_process_in_two_files(cli: Cli, target: Target, tmp_path: Path) -> None:
    """A gateway is not its own rival."""
    pid = target("idle", 1)
    write(tmp_path, pid)
    write(tmp_path / "profiles" / "work", pid)
    done = cli("sockets", "--gateway", HERMES_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"process {pid}" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")
def test_a_pipe_is_no_pid_file(cli: Cli, tmp_path: Path) -> None:
    """It is not waited for."""
    os.mkfifo(tmp_path / "gateway.pid")
    done = cli("sockets", "--gateway", HERMES_HOME=str(tmp_path))
    assert (done.returncode, "no gateway is running" in done.stderr) == (3, True)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_asked_on_a_terminal(target: Target, tmp_path: Path) -> None:
    """On a terminal the user is asked which one."""
    one, two = target("idle", 1), target("idle", 1)
    write(tmp_path / "profiles" / "a", one)
    write(tmp_path / "profiles" / "b", two)
    parent, child = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "hermes_diag", "sockets", "--gateway"],
        stdin=child,
        stderr=child,
        stdout=subprocess.PIPE,
        env={**os.environ, "HERMES_HOME": str(tmp_path)},
        text=True,
    ) as process_:
        os.close(child)
        asked = b""
        while b"[1-2]" not in asked:
            asked += os.read(parent, 4096)
        os.write(parent, b"2\n")
        out, _ = process_.communicate(timeout=20)
    os.close(parent)
    assert f"process {two} " in out
    assert f"1  process {one} (profile a)".encode() in asked
