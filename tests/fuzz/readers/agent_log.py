"""agent.log of Hermes, as `logs` reads it."""

from __future__ import annotations

import datetime
import zlib

from conftest import ROOT

from fuzz.frame import as_file
from hermes_diag.hermes.logs import files, judged
from hermes_diag.hermes.logs.balance import Balance
from hermes_diag.reporters import formats

READS = ("hermes_diag.hermes.logs.files", "hermes_diag.hermes.logs.lines", "hermes_diag.hermes.logs.joined")
#: Every one of so many is shown, which takes the longest.
SHOWN = 8


def seeds() -> list[bytes]:
    return [path.read_bytes()[:4000] for path in sorted((ROOT / "tests" / "gateway_logs").glob("*.log"))[::3]]


def run(data: bytes) -> str:
    read: list[object] = []
    found = Balance(datetime.UTC)
    with as_file(data, "agent.log") as path:
        for source in files.opened([path]):
            for chunk in files.chunks(source, read.append):
                found.feed(chunk)
    report = judged.report(found, read, "UTC", "agent.log")
    return formats.load("terminal").render(report, 80, True) if zlib.crc32(data) % SHOWN == 0 else ""
