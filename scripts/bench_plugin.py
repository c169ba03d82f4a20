"""`scripts/bench plugin`: what the pytest plugin costs, at the start of pytest and around a test.

Rounds are interleaved with the same command with the plugin off, and processor time is taken, so that a busy
machine is as busy for both. Option: --rounds N (40).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
OFF = ["-p", "no:hermes_diag"]

#: Milliseconds.
START, AROUND = 10.0, 1.0

# Empty tests, marked or not, in one process, each kind by turns: the processor time from before the setup of each to
# after its teardown is taken by a hook outside of all others.
TESTS = """
import pytest

@pytest.mark.parametrize("number", range(500))
def test_plain(number): pass

@pytest.mark.limit_sockets
@pytest.mark.parametrize("number", range(500))
def test_marked(number): pass
"""
CONFTEST = """
import pytest, statistics, time
TOOK = {"plain": [], "marked": []}

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    begun = time.process_time()
    result = yield
    TOOK["marked" if "marked" in item.name else "plain"].append(time.process_time() - begun)
    return result

def pytest_collection_modifyitems(items):
    half = len(items) // 2
    items[:] = [item for pair in zip(items[:half], items[half:]) for item in pair]

def pytest_unconfigure():
    print("TOOK", *(statistics.median(TOOK[name]) for name in ("plain", "marked")))
"""


def cpu(command: list[str]) -> float:
    """Milliseconds of processor time of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def start(rounds: int) -> bool:
    """`pytest --version --version`, which loads every plugin and says which."""
    on, off = [*PYTEST, "--version", "--version"], [*PYTEST, *OFF, "--version", "--version"]
    cpu(on), cpu(off)
    pairs = [(cpu(on), cpu(off)) for _ in range(rounds)]
    with_it, without = (statistics.median(side) for side in zip(*pairs, strict=True))
    grown = statistics.median(one - other for one, other in pairs)
    print(
        f"pytest --version: {with_it:.0f} ms with the plugin, {without:.0f} ms without: {with_it / without:.3f} times"
    )
    return verdict("grows by", grown, START)


def around() -> bool:
    """An empty test that is marked beside one that is not."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_it.py").write_text(TESTS)
        (Path(folder) / "conftest.py").write_text(CONFTEST)
        command = [*PYTEST, "-q", "-s", "-p", "no:randomly", "--rootdir", folder, folder]
        with contextlib.chdir(folder):
            done = subprocess.run(command, env={**os.environ, "PYTEST_ADDOPTS": ""}, capture_output=True, text=True)
    line = next(line for line in done.stdout.splitlines() if "TOOK" in line)
    plain, marked = (float(word) * 1000 for word in line.partition("TOOK")[2].split())
    print(f"a test that opens no socket: {marked:.3f} ms marked, {plain:.3f} ms not: {marked / plain:.2f} times")
    return verdict("costs", marked - plain, AROUND)


def verdict(what: str, found: float, most: float) -> bool:
    print(f"{'ok  ' if found < most else 'FAIL'} {what} {found:.2f} ms (less than {most:g})")
    return found < most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    asked = parser.parse_args()
    results = [start(asked.rounds), around()]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
