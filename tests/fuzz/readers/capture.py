"""A capture, as `report` reads it: judged, shown in a format, compared with itself, with pseudonyms."""

from __future__ import annotations

import gzip
import zlib

from conftest import GOLDEN

from fuzz.frame import as_file
from hermes_diag.cli import report
from hermes_diag.core.anonymise import Known, Pseudonyms
from hermes_diag.core.text import one_line
from hermes_diag.reporters import formats
from hermes_diag.run import comparison

READS = (
    "hermes_diag.cli.report",
    "hermes_diag.core.bounds",
    "hermes_diag.core.capture",
    "hermes_diag.core.packed_lines",
    "hermes_diag.run.capture",
    "hermes_diag.watch.capture",
)
FORMATS = tuple(formats.names())
#: Rules of which a capture is kept, beside one of each command.
RULES = ("descriptor-recycled", "pool-exhausted", "retry-too-early", "worker-hung", "tunnels-kept", "threads-grow")
#: Every one of so many is shown, which takes the longest.
SHOWN = 16


def seeds() -> list[bytes]:
    packed = [gzip.decompress(path.read_bytes()) for path in sorted((GOLDEN / "captures").glob("*.gz"))]
    plain = [(GOLDEN / f"{rule}.fires.jsonl").read_bytes() for rule in RULES]
    return [*map(fewer, packed), *map(fewer, plain), fewer((GOLDEN / "pictures" / "watch.jsonl").read_bytes())]


def fewer(data: bytes, most: int = 30) -> bytes:
    """The same with fewer records, so that a change of one is soon tried."""
    lines = data.splitlines(keepends=True)
    if len(lines) <= most:
        return data
    kept = {round(number * (len(lines) - 1) / (most - 1)) for number in range(most)}
    ends = {
        number for number, line in enumerate(lines) if b'"fact"' in line or b'"outcome"' in line or b'"ended"' in line
    }
    return b"".join(line for number, line in enumerate(lines) if number in kept | ends)


def run(data: bytes) -> str:
    with as_file(data, "capture.jsonl") as path:
        found, notes = report.read(path)
    chosen = zlib.crc32(data)
    shown = [one_line(note) for note in notes]  # as cli/terminal.py says them
    if chosen % SHOWN == 0:
        shown.append(formats.load("terminal").render(found, 80, True))
        other = FORMATS[chosen // SHOWN % len(FORMATS)]
        formats.load(other).render(found, 80, bool(chosen & 1024))
    if chosen % (3 * SHOWN) == 0:
        both = comparison.of(["a", "b"], [found, found])
        shown.append(formats.load("terminal").render(both, 80, True))
    if chosen % (5 * SHOWN) == 0:
        formats.load("json").render(Pseudonyms(Known()).of(found), 80, True)
    return "\n".join(shown)
