"""A request body, or a Hermes request dump, as PAYLOAD."""

from __future__ import annotations

from conftest import SAMPLES

from fuzz.frame import as_file
from hermes_diag.run import payload

READS = ("hermes_diag.run.payload",)


def seeds() -> list[bytes]:
    return [path.read_bytes() for path in sorted(SAMPLES.glob("*.json"))] + [b'{"messages": [{"role": "user"}]}']


def run(data: bytes) -> str:
    with as_file(data, "payload.json") as path:
        return repr(payload.load(path))
