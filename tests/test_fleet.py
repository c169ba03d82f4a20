"""A real Prometheus scrapes `hermes-diag export`; the files of docs/fleet/ do with it what they say.

HERMES_DIAG_PROMETHEUS names the folder with `prometheus` and `promtool` (Debian's package prometheus has them), and
HERMES_DIAG_KUBERNETES the file with the types of Kubernetes (_definitions.json of the package kubernetes-validate).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pytest
import yaml
from conftest import ROOT
from test_export import exporting

FLEET = ROOT / "docs" / "fleet"
UNIT = FLEET / "hermes-diag-export.service"
PROGRAMS = os.environ.get("HERMES_DIAG_PROMETHEUS", "")
POD = os.environ.get("HERMES_DIAG_KUBERNETES", "")
#: Units of Grafana by their ids, of which the dashboard makes use: a number, seconds, bytes, a part of 1.
UNITS = {"short", "s", "bytes", "percentunit"}

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


def accepted(name: str, *arguments: str) -> bool:
    """Whether the command has these options."""
    command = [sys.executable, "-m", "hermes_diag", name, "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return all(one in shown for one in arguments if one.startswith("--"))


def test_the_unit_starts_what_there_is() -> None:
    (line,) = [line for line in UNIT.read_text().splitlines() if line.startswith("ExecStart=")]
    assert accepted(*line.split("hermes-diag ", 1)[1].split())


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
def test_the_unit_is_right_and_may_do_little(tmp_path: Path) -> None:
    """Exposure goes from 0 (may do nothing) to 10."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/hermes-diag/bin/hermes-diag", sys.executable))
    for arguments in (["verify"], ["security", "--offline=true", "--no-pager"]):
        ran = subprocess.run(["systemd-analyze", *arguments, copy], capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stderr) == (0, "")
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", ran.stdout)
    assert exposure
    assert float(exposure[1]) < 2


@pytest.mark.skipif(not POD, reason="HERMES_DIAG_KUBERNETES names no file with the types of Kubernetes")
def test_the_pod_is_one() -> None:
    """Checked against the types of Kubernetes; fields that it does not know are refused, as its API server does."""
    pod = yaml.safe_load((FLEET / "sidecar.yaml").read_text())
    types = json.loads(Path(POD).read_text())["$defs"]
    for one in types.values():
        if "properties" in one:
            one["additionalProperties"] = False
    schema = {"$ref": "#/$defs/io.k8s.api.core.v1.Pod", "$defs": types}
    jsonschema.validate(pod, schema)
    pod["spec"]["containers"][0]["imagine"] = "that"
    with pytest.raises(jsonschema.ValidationError, match="imagine"):
        jsonschema.validate(pod, schema)


def test_the_sidecar_sees_the_gateway() -> None:
    """Of one user, among the same processes, and at the port that is announced."""
    pod = yaml.safe_load((FLEET / "sidecar.yaml").read_text())
    gateway, export = pod["spec"]["containers"]
    assert pod["spec"]["shareProcessNamespace"] is True
    assert gateway["securityContext"]["runAsUser"] == export["securityContext"]["runAsUser"]
    program, *arguments = export["command"]
    assert program == "hermes-diag"
    assert accepted(*arguments)
    (port,) = export["ports"]
    assert f"0.0.0.0:{port['containerPort']}" in arguments
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(port["containerPort"])


@needs_prometheus
def test_the_collector_scrapes_as_prometheus_does(tmp_path: Path) -> None:
    """The receiver's configuration is one of Prometheus, with the same target; what it starts is defined."""
    config = yaml.safe_load((FLEET / "collector.yaml").read_text())
    scrapes = config["receivers"]["prometheus"]["config"]
    ours = yaml.safe_load((FLEET / "prometheus.yml").read_text())
    (one,), (other,) = scrapes["scrape_configs"], ours["scrape_configs"]
    assert (one["job_name"], one["static_configs"]) == (other["job_name"], other["static_configs"])
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(scrapes))
    subprocess.run([f"{PROGRAMS}/promtool", "check", "config", "prometheus.yml"], cwd=tmp_path, check=True)
    metrics = config["service"]["pipelines"]["metrics"]
    assert metrics == {kind: list(config[kind]) for kind in ("receivers", "exporters")}


def test_the_dashboard_is_whole() -> None:
    """What Grafana needs of each panel: a number of its own, a place that no other takes, a source, queries, a unit."""
    dashboard = json.loads((FLEET / "dashboard.json").read_text())
    panels = dashboard["panels"]
    assert len({one["id"] for one in panels}) == len({one["title"] for one in panels}) == len(panels) >= 5
    (source,) = [one["name"] for one in dashboard["templating"]["list"] if one["type"] == "datasource"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["expr"].strip()
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        assert panel["datasource"] == {"type": "prometheus", "uid": f"${{{source}}}"}
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        at = panel["gridPos"]
        place = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert all(0 <= x < 24 for x, _ in place)
        assert taken.isdisjoint(place)
        taken |= place
