"""`scripts/bench export`: what a scrape of `hermes-diag export` costs, and what watching a fleet does.

Each promise is printed with its number, its limit and whether it was held; exit code 1 when one was not. Options:
--sockets N (1000), --targets N (40), --samples N (6000) and --scrapes N (10000) of the tests of memory.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import re
import resource
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from prometheus_client import CollectorRegistry, generate_latest

from hermes_diag.cli.exporting import places
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
#: A gateway: twenty connections to a provider, of which three are replaced for each line of stdin. They end in a reset:
#: lines come much faster than turns do, and would leave thousands of sockets in TIME_WAIT.
GATEWAY = """
import collections, socket, struct, sys
address = ("127.0.0.1", int(sys.argv[1]))
kept = collections.deque(socket.create_connection(address) for _ in range(20))
print("ready", flush=True)
for line in sys.stdin:
    for _ in range(3):
        old = kept.popleft()
        old.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        old.close()
        kept.append(socket.create_connection(address))
    print("ready", flush=True)
"""
#: The provider of all gateways.
PROVIDER = """
import asyncio, contextlib, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
async def hold(reader, writer):
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()
async def main():
    server = await asyncio.start_server(hold, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@contextlib.contextmanager
def running(*command: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A program, and its first line."""
    words = [sys.executable, *map(str, command)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


@contextlib.contextmanager
def holding(count: int) -> Iterator[int]:
    with running("-c", HOLDS, count) as (process, said):
        assert said == "ready\n", "it could not open so many: raise `ulimit -n`"
        yield process.pid


@contextlib.contextmanager
def gateways(count: int) -> Iterator[tuple[list[int], Callable[[], None]]]:
    """So many, and what has each of them take some turns."""
    with contextlib.ExitStack() as stack:
        _, port = stack.enter_context(running("-c", PROVIDER))
        found = [stack.enter_context(running("-c", GATEWAY, int(port)))[0] for _ in range(count)]

        def turns() -> None:
            for one in found:
                one.stdin.write("\n")
                one.stdin.flush()
            for one in found:
                one.stdout.readline()

        yield [one.pid for one in found], turns


def scraped(fleet: Fleet) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Collector(fleet, 20))
    return registry


def watched(pids: list[int]) -> Fleet:
    return Fleet(lambda: [Found(str(pid), pid) for pid in pids], 15.0, places)


def resident(pid: int | None = None) -> float:
    return psutil.Process(pid).memory_info().rss / 2**20


def on_host() -> int:
    """TCP sockets that the kernel has, those in TIME_WAIT too."""
    words = Path("/proc/net/sockstat").read_text().partition("TCP: ")[2].split()
    return int(words[words.index("inuse") + 1]) + int(words[words.index("tw") + 1])


def told(what: str, value: float, limit: float, unit: str) -> bool:
    held = value <= limit
    print(f"{what}: {value:.3g} {unit}, at most {limit:g} {unit}: {'held' if held else 'NOT HELD'}", flush=True)
    return held


def scrape(count: int, limit: float) -> bool:
    """Of one process with so many sockets, in milliseconds."""
    with holding(count) as pid:
        fleet = watched([pid])
        fleet.sample()
        registry = scraped(fleet)
        times = []
        for _ in range(15):
            begun = time.perf_counter()
            generate_latest(registry)
            times.append((time.perf_counter() - begun) * 1000)
    return told(f"a scrape of {count:,} sockets", statistics.median(times), limit, "ms")


def memory(samples: int, limit: float) -> bool:
    """Of our own process, over so many samples and scrapes of a process at rest and of a busy one.

    The clock says that 15 s lie between two samples, so that a watch takes over from an older one as it does in hours.
    All sockets of the host are read, half a KiB each: what else it does shows, so the most that it had is told.
    """
    begun, number, most = time.time(), 0, 0
    with contextlib.ExitStack() as stack:
        quiet = stack.enter_context(holding(100))
        busy, turns = stack.enter_context(gateways(1))
        fleet = watched([quiet, *busy])
        registry = scraped(fleet)
        real, time.time = time.time, lambda: begun + number * 15.0
        stack.callback(setattr, time, "time", real)
        for number in range(samples):
            turns()
            fleet.sample()
            generate_latest(registry)
            most = max(most, on_host())
            if number in (samples // 100, samples // 4, samples // 2):
                before = resident()
                print(f"  {before:.1f} MiB after {number:,} samples; up to {most:,} sockets on the host", flush=True)
        days = samples * 15 / 86400
        print(f"  {resident():.1f} MiB after {samples:,}, {days:.1f} days; up to {most:,} sockets on the host")
    return told(f"memory over the second half of {samples:,} samples", resident() - before, limit, "MiB")


def served(scrapes: int, limit: float) -> bool:
    """Memory of a running exporter over so many scrapes over HTTP."""
    command = [sys.executable, "-m", "hermes_diag", "export", "--interval", "1s", "--listen", "127.0.0.1:0", "--pid"]
    with holding(100) as pid, subprocess.Popen([*command, str(pid)], stderr=subprocess.PIPE, text=True) as exporter:
        port = int(re.search(r":(\d+)/", exporter.stderr.readline())[1])
        for number in range(scrapes):
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
            # A reset: else each scrape would leave a socket in TIME_WAIT, and the exporter would have to pass them all.
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            assert b"hermes_diag_up" in connection.getresponse().read()
            connection.close()
            if number == scrapes // 10:
                before = resident(exporter.pid)
        after = resident(exporter.pid)
        exporter.send_signal(signal.SIGINT)
    print(f"  {before:.1f} MiB after a tenth, {after:.1f} MiB at the end")
    return told(f"memory of an exporter over the last nine tenths of {scrapes:,} scrapes", after - before, limit, "MiB")


def many(count: int, busy: bool) -> bool:
    """Processor time of watching so many processes, as a part of one core at a sample each 15 s."""
    with gateways(count) as (pids, turns):
        fleet = watched(pids)
        registry = scraped(fleet)
        fleet.sample()
        spent = []
        for _ in range(8):
            if busy:
                turns()
            begun = time.process_time()
            fleet.sample()
            generate_latest(registry)
            spent.append(time.process_time() - begun)
    what = f"{count} {'busy' if busy else 'quiet'} processes on a host with {on_host():,} sockets"
    return told(f"{what}, a sample and a scrape each 15 s", statistics.mean(spent) / 15 * 100, 2, "% of a core")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--targets", type=int, default=40)
    parser.add_argument("--samples", type=int, default=6000)
    parser.add_argument("--scrapes", type=int, default=10000)
    asked = parser.parse_args()
    observer.WHOLE = 0.0  # after 15 s each look is a whole one
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = min(16000, hard - 100 if hard > 0 else 16000)
    held = [
        memory(asked.samples, 4),  # first: later a test would find memory that one before it has let go of
        served(asked.scrapes, 4),
        many(asked.targets, busy=False),
        many(asked.targets, busy=True),
        scrape(asked.sockets, 20),
        scrape(most, 100),
        many(asked.targets, busy=True),  # with 16,000 sockets in TIME_WAIT
    ]
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
