"""`scripts/bench export`: what a scrape of `hermes-diag export` costs, and what watching a fleet does.

Each promise is printed with its number, its limit and whether it was held; exit code 1 when one was not. Options:
--sockets N (1000), --targets N (40), --scrapes N (2000, of the memory test).
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import statistics
import subprocess
import sys
import time

import psutil
from prometheus_client import CollectorRegistry, generate_latest

from hermes_diag.reporters.openmetrics import Collector
from hermes_diag.watch import observer
from hermes_diag.watch.fleet import Fleet, Found

#: So many connections, in CLOSE_WAIT, to one listener.
HOLDS = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
server = socket.create_server(("127.0.0.1", 0), backlog=128)
kept = []
for _ in range(int(sys.argv[1])):
    kept.append(socket.create_connection(server.getsockname()))
    server.accept()[0].close()
print("ready", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def holding(count: int):
    command = [sys.executable, "-c", HOLDS, str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n", "it could not open so many: raise `ulimit -n`"
        try:
            yield process.pid
        finally:
            process.kill()


def scraped(fleet: Fleet) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Collector(fleet, 20))
    return registry


def told(what: str, value: float, limit: float, unit: str) -> bool:
    held = value <= limit
    print(f"{what}: {value:.3g} {unit}, at most {limit:g} {unit}: {'held' if held else 'NOT HELD'}")
    return held


def scrape(count: int, limit: float) -> bool:
    """Of one process with so many sockets, in milliseconds."""
    with holding(count) as pid:
        fleet = Fleet(lambda: [Found("one", pid)], 15.0)
        fleet.sample()
        registry = scraped(fleet)
        times = []
        for _ in range(15):
            begun = time.perf_counter()
            generate_latest(registry)
            times.append((time.perf_counter() - begun) * 1000)
    return told(f"a scrape of {count:,} sockets", statistics.median(times), limit, "ms")


def memory(scrapes: int) -> bool:
    """That of our own process, over many scrapes and samples."""
    with holding(100) as pid:
        fleet = Fleet(lambda: [Found("one", pid)], 15.0)
        registry = scraped(fleet)
        for number in range(scrapes):
            fleet.sample()
            generate_latest(registry)
            if number == scrapes // 4:
                before = psutil.Process().memory_info().rss
        grown = (psutil.Process().memory_info().rss - before) / 2**20
    return told(f"resident memory over the last three quarters of {scrapes:,} samples and scrapes", grown, 4, "MiB")


def many(count: int) -> bool:
    """Processor time of watching so many processes, as a part of one core at a sample each 15 s."""
    observer.WHOLE = 0.0  # after 15 s each look is a whole one
    with contextlib.ExitStack() as stack:
        pids = [stack.enter_context(holding(20)) for _ in range(count)]
        fleet = Fleet(lambda: [Found(str(pid), pid) for pid in pids], 15.0)
        registry = scraped(fleet)
        fleet.sample()
        begun, rounds = time.process_time(), 5
        for _ in range(rounds):
            fleet.sample()
            generate_latest(registry)
        seconds = (time.process_time() - begun) / rounds
    return told(f"{count} processes, a sample and a scrape each 15 s", seconds / 15 * 100, 2, "% of a core")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--targets", type=int, default=40)
    parser.add_argument("--scrapes", type=int, default=2000)
    asked = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = min(16000, hard - 100 if hard > 0 else 16000)
    held = [scrape(asked.sockets, 20), scrape(most, 100), memory(asked.scrapes), many(asked.targets)]
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
