"""A factory in this process is looked at as carefully as one in a worker."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from openai import OpenAI

from hermes_diag import api
from hermes_diag.core.errors import CannotMeasure
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
