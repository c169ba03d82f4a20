"""The table [tool.hermes-diag] of a pyproject.toml."""

from __future__ import annotations

import datetime

from conftest import ROOT

from hermes_diag.core.errors import UsageError
from hermes_diag.judge import pyproject, settings

READS = ("hermes_diag.cli.configuration", "hermes_diag.core.toml", "hermes_diag.judge.pyproject")

_WHOLE = b"""
[project]
name = "x"

[tool.hermes-diag]
factory = "app.clients:make"
workloads = ["steady", "interrupted"]
faults = ["http-500:every=3"]
fail_on = ["close_wait_left > 0"]
expect = [
    "timeout=600s",
    "separate",
]

[[tool.hermes-diag.allow]]
finding = "close-releases"
reason = "known"
expires = 2099-01-31
"""


def seeds() -> list[bytes]:
    return [_WHOLE, _WHOLE.replace(b'"steady"', b'"stedy"'), (ROOT / "pyproject.toml").read_bytes()]


def run(data: bytes) -> str:
    layer = pyproject.document(data, "pyproject.toml")
    if layer is None:
        raise UsageError("no table")
    return repr(settings.resolve([layer], datetime.date(2026, 11, 28)).asked())
