"""Runs `hermes-diag repro --json` N times and compares verdicts and counts with the first run.

Left out is what the document itself names as racy, and times. With --busy as many processes as there
are cores do nothing but compute meanwhile. Exit 0: all runs alike; 1: not.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=int)
    parser.add_argument("--busy", action="store_true", help="keep every core busy meanwhile")
    options, arguments = parser.parse_known_args()
    seconds, first, different = [], None, 0
    with busy_cores() if options.busy else nothing():
        for number in range(1, options.runs + 1):
            begun = time.monotonic()
            document = run(arguments)
            seconds.append(time.monotonic() - begun)
            counts = dict(flatten(strip(document)))
            first = first or counts
            changed = sorted(key for key in first.keys() | counts.keys() if first.get(key) != counts.get(key))
            different += bool(changed)
            for key in changed[:20]:
                print(f"run {number}: {key}: {first.get(key)!r} -> {counts.get(key)!r}")
            if number % 10 == 0 or number == options.runs:
                slowest = max(seconds)
                print(f"{number} runs, {different} different, {slowest:.1f} s the slowest", flush=True)
    assert first is not None
    print(f"{options.runs - different} of {options.runs} runs alike in {len(first)} values: {first['.verdict']}")
    return 1 if different else 0


def run(arguments: list[str]) -> Any:
    command = [sys.executable, "-m", "hermes_diag", "repro", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"a run could not measure (exit {done.returncode}): {done.stdout[-500:]}{done.stderr[-500:]}")
    return json.loads(done.stdout)


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, leaf) of a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flatten(inner, f"{path}.{key}")
    elif isinstance(value, list):
        yield f"{path}.length", len(value)
        for index, inner in enumerate(value):
            yield from flatten(inner, f"{path}[{index}]")
    else:
        yield path, value


def strip(document: Any) -> Any:
    """The document without what it names as racy itself."""
    for path in document["racy"]:
        remove([document], path.split("."))
    return document


def remove(parents: list[Any], steps: list[str]) -> None:
    match = re.fullmatch(r"(\w+)(\[(?:(\w+)=([\w/-]+))?\])?", steps[0])
    assert match, steps
    name, is_list, key, wanted = match[1], match[2], match[3], match[4]
    for parent in parents:
        if name not in parent:
            continue
        inner = parent[name]
        chosen = [one for one in inner if not key or one[key] == wanted] if is_list else [inner]
        if len(steps) > 1:
            remove(chosen, steps[1:])
        elif is_list:
            parent[name] = [one for one in inner if one not in chosen]
        else:
            del parent[name]


@contextmanager
def busy_cores() -> Iterator[None]:
    burners = [multiprocessing.Process(target=burn, daemon=True) for _ in range(os.cpu_count() or 1)]
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()


def burn() -> None:
    while True:
        sum(range(100_000))


@contextmanager
def nothing() -> Iterator[None]:
    yield


if __name__ == "__main__":
    sys.exit(main())
