"""A real `hermes gateway run`, doing turns against our provider in a network namespace of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Cli

HERMES = os.environ.get("HERMES_DIAG_HERMES_PYTHON", "")

pytestmark = [
    pytest.mark.skipif(not HERMES, reason="HERMES_DIAG_HERMES_PYTHON names no Python with hermes-agent and aiohttp"),
    pytest.mark.skipif(
        not (sys.platform.startswith("linux") and os.geteuid() == 0 and shutil.which("unshare")),
        reason="a network namespace needs root on Linux",
    ),
    pytest.mark.timeout(240),
]

TURNS = 12


def test_a_gateway_at_work(cli: Cli, tmp_path: Path) -> None:
    """Found by its pid file, read through its namespace, watched over its turns: nothing leaks."""
    home, saved = tmp_path / "home", tmp_path / "w.jsonl"
    command = ["unshare", "-n", sys.executable, str(ROOT / "tests" / "hermes_gateway.py"), HERMES, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as gateway:
        assert gateway.stdin is not None
        assert gateway.stdout is not None
        try:
            first = gateway.stdout.readline()
            assert first, "the gateway did not start"
            pid = json.loads(first)["pid"]

            def turn() -> None:
                gateway.stdin.write("\n")
                gateway.stdin.flush()
                assert json.loads(gateway.stdout.readline())["status"] == 200

            turn()  # warm up: the first one opens files that stay open
            look = cli("sockets", "--gateway", HERMES_HOME=str(home))
            assert look.returncode == 0, look.stderr
            assert f"process {pid}" in look.stdout
            assert "another network namespace" in look.stdout
            assert "SQLite" in look.stdout
            options = ["--gateway", "--watch", "--interval", "100ms", "--json", "--save", str(saved)]
            watch = subprocess.Popen(
                [sys.executable, "-m", "hermes_diag", "sockets", *options],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "HERMES_HOME": str(home)},
            )
            assert watch.stdout is not None
            watch.stdout.readline()
            for _ in range(TURNS):
                turn()
            for _ in range(12):
                watch.stdout.readline()
        finally:
            gateway.communicate()
        out, err = watch.communicate(timeout=60)
    summary = json.loads(out.splitlines()[-1])
    assert summary["ended"]["how"] == "exited", err
    courses = {one["name"]: one for one in summary["courses"]}
    assert courses["CLOSE_WAIT"]["word"] != "growing"
    assert courses["CLOSE_WAIT"]["high"] <= 4
    text = saved.read_text() + look.stdout + out
    assert "kkkkkkkk" not in text  # the key of the API server
    assert '"hi"' not in text
    assert cli("report", saved).returncode == watch.returncode
    log = json.loads(cli("logs", "--with", saved, "--json", HERMES_HOME=str(home)).stdout)
    assert (log["status"], log["turns"], log["calls"]) == ("clean", TURNS + 1, TURNS + 1)
    assert (log["clients"]["created"], log["clients"]["closed"]) == (TURNS + 1, TURNS + 1)
    assert sum(one["counts"]["turns"] for one in log["buckets"]) >= TURNS
    assert all(one["highs"]["threads"] for one in log["buckets"][1:-1])


def test_who_opened_what(cli: Cli, tmp_path: Path) -> None:
    """With the recorder: what an interrupted turn and one that a watchdog gave up leave is named with Hermes's line."""
    home, boxes = tmp_path / "home", tmp_path / "boxes"
    boxes.mkdir(mode=0o700)
    run = [sys.executable, str(ROOT / "tests" / "hermes_gateway.py"), HERMES, str(home), str(boxes)]
    command = ["unshare", "-n", *run, "first-event-then-silence:every=2"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as gateway:
        assert gateway.stdin is not None
        assert gateway.stdout is not None
        try:
            pid = json.loads(gateway.stdout.readline())["pid"]
            for line, status in (("", 200), ("", 200), ("interrupt", 0)):  # the second waits for its watchdog first
                gateway.stdin.write(f"{line}\n")
                gateway.stdin.flush()
                assert json.loads(gateway.stdout.readline())["status"] == status
            # C code opens some for a moment (the resolver, while Hermes looks a name up), and what is opened between
            # two questions of one look has no line in it yet: what stays has one.
            unknown: list[dict[str, Any]] = []
            for attempt in range(5):
                look = json.loads(cli("sockets", pid, "--json").stdout)
                unknown = [one for one in look["origins"]["unknown"] if not attempt or one in unknown]
                if not unknown:
                    break
        finally:
            gateway.communicate()
    log = json.loads(cli("logs", "--json", HERMES_HOME=str(home)).stdout)
    assert log["turns"] == 3
    assert 0 < log["clients"]["stranded"] <= log["roles"]["request"]["force_closed_nothing"]
    assert log["exit_code"] == 1
    origins = look["origins"]
    opened = {one["fd"]: one["opened"] for one in origins["descriptors"]}
    towards = {row["fd"] for row in look["sockets"] if row["state"] != "LISTEN" and ":8642" not in row["local"]}
    towards |= {one["fd"] for one in look["closed"] or ()}
    assert towards, "the turns that were given up leave sockets"
    assert {opened[fd]["lines"][0].split(":")[0] for fd in towards} == {"agent/codex_runtime.py"}
    assert {opened[fd]["library"].split("/")[0] for fd in towards} == {"openai"}
    for one in (*opened.values(), *(one["started"] for one in origins["threads"])):
        assert one["inherited"] or one["lines"], one
    assert not unknown, "these are there in every look, and no line is known for them"
