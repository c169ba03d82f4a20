"""A factory in this process is looked at as carefully as one in a worker."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from openai import OpenAI

from hermes_diag import api
from hermes_diag.core.errors import CannotMeasure
from hermes_diag.core.sockets import SocketRow
from hermes_diag.run import endpoint
from hermes_diag.watch import snapshot, tables
from hermes_diag.watch.tables import load, proc_net, sock_diag

DESCRIPTORS = """
import resource
from openai import OpenAI
from hermes_diag import api

_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
kept = []


def make(client_kwargs):
    kept.append(OpenAI(**client_kwargs))
    return kept[-1]


found = api.loop(make, workloads=["interrupted"], ends=["abandon"], turns=100, in_process=True)
(cell,) = found.report.cells
print(cell.attempts, cell.interrupted, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def test_a_backend_that_sees_nothing_is_never_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty socket table would call every factory clean: it is no verdict at all."""
    for backend in (proc_net, load("psutil"), sock_diag):
        monkeypatch.setattr(backend, "table", lambda *args, **named: [])

    def make(client_kwargs: dict[str, Any]) -> OpenAI:
        return OpenAI(**client_kwargs)

    with pytest.raises(CannotMeasure, match="does not show a connection that is open"):
        api.loop(make, workloads=["steady"], turns=4, in_process=True)


def test_descriptors_suffice_and_the_limit_comes_back() -> None:
    """A hundred abandoned clients need more descriptors than the soft limit has; it is as before afterwards."""
    done = subprocess.run([sys.executable, "-c", DESCRIPTORS], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["100", "100", "100"], done.stderr


def test_a_port_of_an_endpoint_that_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that the job has closed stays the job's; one of somebody else at the same port, later, does not."""
    own, theirs, remote = 11, 12, ("127.0.0.2", 443)
    local = ("127.0.0.1", 50000)
    job = os.getpid()
    held = SocketRow("ESTABLISHED", local, remote, job, 5, own)
    orphan = SocketRow("ESTABLISHED", local, remote, None, None, own)
    gone = SocketRow("TIME_WAIT", local, remote, None, None, 0)
    stranger = SocketRow("ESTABLISHED", local, remote, None, None, theirs)
    looks = iter([[held], [orphan], [gone], [stranger], [gone]])
    monkeypatch.setattr(snapshot, "take", lambda *args: snapshot.Snapshot(next(looks), None, None))
    provider = endpoint.RemoteProvider(endpoint.Endpoint("https", "a.test", 443, "/v1", ("127.0.0.2",)), 1)
    seen = [len(provider.look(tables, job, 1).rows) for _ in range(5)]
    assert seen == [1, 1, 1, 0, 0]
