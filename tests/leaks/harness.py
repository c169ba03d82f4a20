"""What the seeded leaks and their twins share: a server in a process of its own, and a record of what pytest said."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hermes_diag.leakguard import snapshot

if os.environ["LEAKS_BACKEND"] == "portable":
    from hermes_diag.leakguard.backends import portable

    snapshot.backend = portable

#: What a leak is kept alive by; that of one test stays for the rest of the session, as leaks do.
KEPT: list[object] = []


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The base URL of a provider that outlives every test."""
    command = [sys.executable, "-m", "hermes_diag", "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield re.search(r"http://\S+", process.stdout.readline())[0]
        finally:
            process.terminate()
            process.stdout.read()


@pytest.fixture
def address(server: str) -> tuple[str, int]:
    host, port = re.search(r"//(.*):(\d+)/", server).groups()
    return host, int(port)


@pytest.fixture
def keep() -> list[object]:
    return KEPT


@pytest.fixture(scope="session", autouse=True)
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that leaks have left; they end with the session."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.name.endswith("_leak"):  # it stays anyhow
            item.add_marker(pytest.mark.limit_sockets(settle=0.05), append=False)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    verdict = getattr(report, "limit_sockets_verdict", None)
    if report.failed or verdict in ("passed", "failed"):
        line = {"test": report.nodeid.partition("::")[2], "when": report.when, "verdict": verdict}
        with open(os.environ["LEAKS_RECORD"], "a") as file:
            file.write(json.dumps({**line, "text": report.longreprtext}) + "\n")
