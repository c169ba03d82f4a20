"""The capture that a check is compared with, and the capture of a check."""

from __future__ import annotations

import gzip
import zlib
from functools import cache

from conftest import GOLDEN

from fuzz.frame import as_file
from fuzz.readers.capture import SHOWN, fewer
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import Plan
from hermes_diag.judge import check
from hermes_diag.judge.baseline import Baseline
from hermes_diag.judge.settings import Asked
from hermes_diag.reporters import formats
from hermes_diag.run import capture

READS = ("hermes_diag.cli.check", "hermes_diag.run.capture")


@cache
def _own() -> tuple[Plan, tuple[Evidence, ...]]:
    plan, evidence = capture.read(GOLDEN / "captures" / "check.jsonl.gz")
    return plan, tuple(evidence)


def seeds() -> list[bytes]:
    check_ = gzip.decompress((GOLDEN / "captures" / "check.jsonl.gz").read_bytes())
    return [fewer(check_), (GOLDEN / "close-wait-grows.fires.jsonl").read_bytes()]


def run(data: bytes) -> str:
    with as_file(data, "baseline.jsonl") as path:
        before = capture.read(path)[1]
    plan, evidence = _own()
    found = check.judge(plan, evidence, Asked("fixed"), Baseline("baseline", before))
    return formats.load("terminal").render(found, 80, True) if zlib.crc32(data) % SHOWN == 0 else ""
