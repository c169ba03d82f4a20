"""A report in any format, or a capture, as `report --check` reads it."""

from __future__ import annotations

import gzip

from conftest import GOLDEN

from fuzz.frame import as_file
from hermes_diag.cli import report
from hermes_diag.core import learnt
from hermes_diag.reporters import formats

READS = ("hermes_diag.cli.report", "hermes_diag.core.learnt")


def seeds() -> list[bytes]:
    path = GOLDEN / "captures" / "trace.jsonl.gz"
    found, _ = report.read(path)
    shown = [formats.load(name).render(found, 80, True).encode()[-6000:] for name in formats.names()]
    texts = (
        "see https://user:pass@example.com/a?b=c, token=abcdefgh, /home/ann/x.py",
        "x@example.com 10.0.0.1 2026-11-28",
    )
    return [gzip.decompress(path.read_bytes()), *shown, *(text.encode() for text in texts)]


def run(data: bytes) -> str:
    with as_file(data, "report.md") as path:
        text, _ = report._readable(path, data)
    learnt.of("report.md", text)
    return ""
