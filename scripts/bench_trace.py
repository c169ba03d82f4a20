"""`scripts/bench trace`: what the recorder of `hermes-diag trace` costs a program, side by side with and without it.

Rounds are interleaved, so that a machine that is slow for a while is slow for both; of each the median of --rounds N
(5) counts. Each promise is printed with its number, its limit and whether it was held; exit code 1 when one was not.
Options: --rounds N, --openings N (1000000), --descriptors N (60000, as far as `ulimit -n` allows).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hermes_diag.leakguard import boxes, traced
from hermes_diag.leakguard.box import Box
from hermes_diag.provider import Provider
from hermes_diag.watch.descriptors import Descriptors

CONNECTIONS, TURNS = 4000, 150
#: What each program prints is the processor time in seconds of what it measures, that of its children left out.
CLIENT = """
import socket, sys, time
address = ("127.0.0.1", int(sys.argv[1]))
def once():
    socket.create_connection(address).close()
"""
BOTH = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", 0))
address = server.getsockname()
def once():
    client = socket.create_connection(address)
    server.accept()[0].close()
    client.close()
"""
TURN = """
import openai, sys, time
client = openai.OpenAI(base_url=sys.argv[1], api_key="none")
def once():
    for _ in client.responses.create(model="gpt-5", input="hi", stream=True):
        pass
"""
MEASURE = """
for _ in range({count} // 10):
    once()
begun = time.process_time()
for _ in range({count}):
    once()
print(time.process_time() - begun)
"""
LISTENER = """
import socket
server = socket.create_server(("127.0.0.1", 0), backlog=4096)
print(server.getsockname()[1], flush=True)
while True:
    server.accept()[0].close()
"""
MANY = """
import os, socket, sys
def size():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
def used():
    folder = os.environ["HERMES_DIAG_BOXES"]
    return sum(one.stat().st_blocks * 512 for one in os.scandir(folder)
               if one.name.startswith(f"{os.getpid()}-"))
for _ in range(2000):
    socket.socket().close()
before = size(), used()
for _ in range(int(sys.argv[1])):
    socket.socket().close()
print([*before, size(), used()])
"""
HOLD = """
import os, socket, sys
kept = [socket.socket() for _ in range(int(sys.argv[1]))]
print(flush=True)
sys.stdin.read()
"""


def cpu(folder: Path | None, *command: str) -> float:
    """What a program prints, or with -c pass the processor time of the whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(
        [sys.executable, *command], env=environment(folder), stdout=subprocess.PIPE, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return float(ran.stdout or whole)


def environment(folder: Path | None) -> dict[str, str]:
    return dict(os.environ) if folder is None else traced.environment(folder, paths=False)


def compared(what: str, most: float, rounds: int, folder: Path, *command: str) -> bool:
    found: dict[Path | None, list[float]] = {None: [], folder: []}
    for _ in range(rounds):
        for where, times in found.items():
            times.append(cpu(where, *command))
    without, with_it = (statistics.median(times) for times in found.values())
    return held(what, with_it / without, most, f"{without * 1000:.1f} ms and {with_it * 1000:.1f} ms")


def held(what: str, number: float, most: float, beside: str) -> bool:
    good = number <= most
    print(f"{'held    ' if good else 'NOT HELD'} {what}: {number:.3f} (at most {most:g}; {beside})", flush=True)
    return good


def openings(folder: Path, count: int) -> bool:
    """So many openings leave the box and the process as large as they were."""
    ran = subprocess.run(
        [sys.executable, "-c", MANY, str(count)],
        env=environment(folder),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    size, used, size_after, used_after = json.loads(ran.stdout)
    beside = f"resident {size / 2**20:.1f} and {size_after / 2**20:.1f} MiB; disk {used:,} and {used_after:,} bytes"
    grown = max(size_after - size, 0) / 2**20
    return held(f"MiB more after {count:,} openings", grown, 1.0, beside) and used == used_after


def reading(folder: Path, count: int, rounds: int) -> bool:
    """The box of a process with so many descriptors: the file, and all of it compared with what the kernel shows."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, max(most, count + 100)))
    count = min(count, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
    command = [sys.executable, "-c", HOLD, str(count)]
    with subprocess.Popen(command, env=environment(folder), stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (path,) = folder.glob(f"{process.pid}-*.box")
        read, matched = [], []
        known = Descriptors(process.pid)
        known.refresh(frozenset())
        holding = known.holding()
        for _ in range(rounds):
            begun = time.perf_counter()
            box = Box(path)
            slots = box.by_inode
            read.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            named = dict(boxes.matched(box, holding))
            matched.append(time.perf_counter() - begun)
        process.communicate()
    beside = f"{len(slots):,} slots; {statistics.median(matched) * 1000:.0f} ms more to name {len(named):,} descriptors"
    return held(f"ms to read the box of {count:,} descriptors", statistics.median(read) * 1000, 50, beside)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--openings", type=int, default=1_000_000)
    parser.add_argument("--descriptors", type=int, default=60_000)
    asked = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(dir=traced.place()) as temporary, Provider() as provider:
        folder = Path(temporary) / "boxes"
        folder.mkdir(mode=0o700)
        many, turns = MEASURE.format(count=CONNECTIONS), MEASURE.format(count=TURNS)
        with subprocess.Popen([sys.executable, "-c", LISTENER], stdout=subprocess.PIPE, text=True) as listener:
            assert listener.stdout is not None
            port = listener.stdout.readline().strip()
            client = "a connection, opened and closed by a client"
            good = [compared(client, 1.15, asked.rounds, folder, "-c", CLIENT + many, port)]
            listener.kill()
        both = "a connection, opened and closed with both ends in the process"
        good += [
            compared(both, 1.15, asked.rounds, folder, "-c", BOTH + many),
            compared("a replayed turn", 1.03, asked.rounds, folder, "-c", TURN + turns, provider.base_url),
            compared("python -c pass", 1.5, 4 * asked.rounds, folder, "-c", "pass"),
            openings(folder, asked.openings),
            reading(folder, asked.descriptors, asked.rounds),
        ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
