"""A real Prometheus scrapes `hermes-diag export`; the files of docs/fleet/ do with it what they say.

HERMES_DIAG_PROMETHEUS names the folder with `prometheus` and `promtool` (Debian's package prometheus has them).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import ROOT
from test_export import exporting

FLEET = ROOT / "docs" / "fleet"
PROGRAMS = os.environ.get("HERMES_DIAG_PROMETHEUS", "")

needs_prometheus = pytest.mark.skipif(not PROGRAMS, reason="HERMES_DIAG_PROMETHEUS names no folder with Prometheus")
Target = Callable[..., int]


@needs_prometheus
def test_rules() -> None:
    for arguments in (
        ("check", "rules", "rules.yml"),
        ("test", "rules", "rules_test.yml"),
        ("check", "config", "prometheus.yml"),
    ):
        ran = subprocess.run(
            [f"{PROGRAMS}/promtool", *arguments], cwd=FLEET, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture
def prometheus(target: Target, tmp_path: Path) -> Iterator[Callable[[str, str], Any]]:
    """A Prometheus that scrapes an exporter over a leaking and a healthy process each second; asks its API.

    The rules are those of docs/fleet/, but that nothing has to last before it is told.
    """
    leaking, idle = target("leak", 0.05), target("idle", 2)
    rules = (FLEET / "rules.yml").read_text()
    (tmp_path / "rules.yml").write_text(re.sub(r"for: \d+m", "for: 0s", rules).replace("> 3600", "> 1"))
    with exporting("--pid", leaking, "--pid", idle, "--interval", "0.2s") as (url, _):
        config = (FLEET / "prometheus.yml").read_text().replace("15s", "1s")
        config = config.replace("127.0.0.1:9464", urllib.parse.urlsplit(url).netloc)
        (tmp_path / "prometheus.yml").write_text(config)
        command = [
            f"{PROGRAMS}/prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
            "--web.listen-address=127.0.0.1:0",
        ]  # fmt: skip
        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as server:
            try:
                yield lambda path, query="": asked(server.pid, path, query)
            finally:
                server.terminate()


def asked(pid: int, path: str, query: str) -> Any:
    """One answer of Prometheus's API, once it listens."""
    until = time.monotonic() + 30
    while True:
        try:
            (port,) = {one.laddr.port for one in psutil.Process(pid).net_connections("tcp") if one.status == "LISTEN"}
            parameters = urllib.parse.urlencode({"query": query}) if query else ""
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}?{parameters}", timeout=10) as answer:
                return json.loads(answer.read())["data"]
        except (ValueError, OSError):
            assert time.monotonic() < until
            time.sleep(0.1)


@needs_prometheus
def test_alerts_fire_and_panels_have_data(prometheus: Callable[..., Any]) -> None:
    firing: set[tuple[str, str]] = set()
    until = time.monotonic() + 60
    wanted = {"ConnectionsLeak", "DescriptorsRunOut", "CloseWaitIsOld"}
    while not wanted <= {name for name, _ in firing}:
        assert time.monotonic() < until, firing
        time.sleep(0.5)
        firing = {
            (one["labels"]["alertname"], one["labels"].get("target", ""))
            for one in prometheus("alerts")["alerts"]
            if one["state"] == "firing"
        }
    assert len({target for _, target in firing}) == 1, "only the leaking one"
    dashboard = json.loads((FLEET / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for one in panel["targets"]:
            assert prometheus("query", one["expr"])["result"], panel["title"]
    scraped = prometheus("query", 'up{job="hermes-diag"}')["result"]
    assert [one["value"][1] for one in scraped] == ["1"]


def test_the_unit_starts_what_there_is() -> None:
    text = (FLEET / "hermes-diag-export.service").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    name, *arguments = line.split("hermes-diag ", 1)[1].split()
    command = [sys.executable, "-m", "hermes_diag", name, "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [one for one in arguments if one.startswith("--") and one not in shown] == []
