"""`scripts/bench html`: how long the page of a very large run takes, and how large it is.

A run of --turns N (10,000) and --looks N (100,000) in one cell; and the picture of a watch of as many samples. Each
promise is printed with its number, its limit and whether it was held; exit code 1 when one was not.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import tracemalloc
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from pictures import large

from hermes_diag.reporters import formats
from hermes_diag.watch.picture import Drawing
from hermes_diag.watch.records import Moved, Tick

#: Seconds and bytes of a page, microseconds and MiB of the picture of a watch.
SECONDS, BYTES, MICROSECONDS, MEMORY = 3.0, 2_000_000, 100.0, 4.0


def told(what: str, value: float, limit: float, unit: str) -> bool:
    held = value <= limit
    print(f"{what}: {value:,.3g} {unit}, at most {limit:,g} {unit}: {'held' if held else 'NOT HELD'}")
    return held


def page(turns: int, looks: int) -> list[bool]:
    report = large(turns, looks)
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        text = formats.load("html").render(report, 80, False)
        times.append(time.perf_counter() - begun)
    what = f"the page of {turns:,} turns and {looks:,} looks"
    return [
        told(what, statistics.median(times), SECONDS, "s"),
        told(f"{what}, its size", len(text.encode()) / 1000, BYTES / 1000, "kB"),
    ]


def samples(count: int) -> list[bool]:
    """A watch in which a socket comes and one goes at each sample, and 300 stay."""
    held = [Moved(number, "ESTABLISHED", "192.0.2.1:443", number) for number in range(1, 301)]
    ticks = [
        Tick(
            float(at), 0.0, {"ESTABLISHED": 300, "CLOSE_WAIT": at % 50}, {}, None, 1, None, None, None, None, None,
            opened={"192.0.2.1:443": 1},
            moved=(Moved(at + 1000, "ESTABLISHED", "192.0.2.1:443", 7), Moved(at + 999, ""), *(() if at else held)),
        )
        for at in range(count)
    ]  # fmt: skip
    drawing = Drawing()
    begun = time.perf_counter()
    for tick in ticks:
        drawing.add(tick)
    each = (time.perf_counter() - begun) / count * 1e6
    tracemalloc.start()
    small = Drawing()
    for tick in ticks:
        small.add(tick)
    memory = tracemalloc.get_traced_memory()[0] / 2**20
    return [
        told("the picture of a watch, each sample", each, MICROSECONDS, "us"),
        told(f"the picture of a watch, memory after {count:,} samples", memory, MEMORY, "MiB"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=10_000)
    parser.add_argument("--looks", type=int, default=100_000)
    asked = parser.parse_args()
    return 0 if all([*page(asked.turns, asked.looks), *samples(asked.looks)]) else 1


if __name__ == "__main__":
    sys.exit(main())
