"""A capture that is packed with gzip."""

from __future__ import annotations

import gzip

from conftest import GOLDEN

from fuzz.frame import as_file
from hermes_diag.cli import report

READS = ("hermes_diag.core.packed_lines",)


def seeds() -> list[bytes]:
    small = [GOLDEN / "captures" / f"{name}.jsonl.gz" for name in ("trace", "scenarios", "look")]
    twice = gzip.compress(b"{}\n") * 3
    return [*(path.read_bytes() for path in small), twice, gzip.compress(b"\n" * (1 << 16))]


def run(data: bytes) -> str:
    with as_file(data, "capture.jsonl.gz") as path:
        found, notes = report.read(path)
    return "\n".join([found.verdict, *notes])
