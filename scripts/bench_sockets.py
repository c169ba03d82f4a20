"""`scripts/bench sockets`: looks by sock_diag, psutil and ss, the cold command, a watch; side by side.

Rounds are interleaved, so that a machine that is slow for a while is slow for all of them. Each promise is
printed with its number, its limit and whether it was held; exit code 1 when one was not. Options:
--sockets N (16000), --rounds N (5), --seconds N (20, of a watch), --samples N (10000, of the memory test),
--hermes PATH of `hermes`.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from hermes_diag.watch.observer import WHOLE, Observer

TARGET = Path(__file__).parent.parent / "tests" / "target.py"
DIAG = [str(Path(sys.executable).with_name("hermes-diag"))]
WATCH = [*DIAG, "sockets", "--watch", "--json"]


@contextlib.contextmanager
def target(count: int, waiting: int = 0) -> Iterator[int]:
    """A process with so many TCP sockets, and so many that it has left in TIME_WAIT."""
    command = [sys.executable, str(TARGET), "many", str(count), str(waiting)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            sys.exit(f"cannot open {count} sockets: raise `ulimit -n`, or give --sockets")
        yield process.pid
        process.communicate()


def wall(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def run(*command: str) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def side_by_side(rounds: int, **works: Callable[[], object]) -> dict[str, float]:
    """The median wall of each, in seconds. Each is measured warm: right after a run that is not."""
    walls: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            work()
            walls[name].append(wall(work))
    medians = {name: statistics.median(found) for name, found in walls.items()}
    for name, median in medians.items():
        print(f"  {name:24} {median * 1000:8.1f} ms")
    return medians


def ratio(what: str, ours: float, theirs: float, most: float) -> bool:
    good = ours / theirs <= most
    print(f"{'held    ' if good else 'NOT HELD'} {what}: {ours / theirs:.3f} (at most {most:g})", flush=True)
    return good


def looks(count: int, rounds: int) -> Iterator[bool]:
    with target(count) as pid:
        print(f"a process with {count:,} TCP sockets, warm")
        eye, narrow, me = (
            Observer(pid, "sock_diag"),
            Observer(pid, "sock_diag", states=("CLOSE_WAIT",)),
            psutil.Process(pid),
        )
        eye.look(info=False), narrow.look(info=False), me.net_connections("tcp")
        works: dict[str, Callable[[], object]] = {
            "sample by sock_diag": lambda: eye.look(info=False),
            "CLOSE_WAIT only": lambda: narrow.look(info=False),
            "psutil, that process": lambda: me.net_connections("tcp"),
            "psutil, whole system": lambda: psutil.net_connections("tcp"),
        }
        if shutil.which("ss"):
            works["ss -tnp"] = lambda: run("ss", "-tnp")
        found = side_by_side(rounds, **works)
        print(f"  (a whole look, every {WHOLE:g} s of a watch: {wall(eye.look) * 1000:.1f} ms)")
    least = min(found["psutil, that process"], found["psutil, whole system"])
    yield ratio("sample / psutil", found["sample by sock_diag"], least, 0.25)
    yield ratio("CLOSE_WAIT only / psutil", found["CLOSE_WAIT only"], least, 0.1)
    if "ss -tnp" in found:
        yield ratio("sample / ss -tnp", found["sample by sock_diag"], found["ss -tnp"], 0.6)
    else:
        print("not measured: sample / ss -tnp (at most 0.8); install iproute2")


def cold(rounds: int, hermes: str | None) -> Iterator[bool]:
    with target(50) as pid:
        print("the whole command, cold, on a process with 50 sockets")
        works: dict[str, Callable[[], object]] = {
            "hermes-diag sockets": lambda: run(*DIAG, "sockets", "--pid", str(pid)),
            "python -c pass": lambda: run(sys.executable, "-c", "pass"),
        }
        if hermes:
            works["hermes --help"] = lambda: run(hermes, "--help")
        found = side_by_side(rounds * 3, **works)
    yield ratio("command / python -c pass", found["hermes-diag sockets"], found["python -c pass"], 25)
    if hermes:
        yield ratio("command / hermes --help", found["hermes-diag sockets"], found["hermes --help"], 0.8)
    else:
        print("not measured: command / hermes --help (at most 0.8); name it with --hermes")


def watch(seconds: int, waiting: int = 0) -> Iterator[bool]:
    with target(1000, waiting) as pid:
        beside = f" beside {waiting:,} in TIME_WAIT" if waiting else ""
        print(f"a watch at 10 Hz on 1,000 sockets{beside}, {seconds} s after its first sample, --json")
        command = [*WATCH, "--pid", str(pid), "--interval", "100ms", "--set", f"count={seconds * 10 + 1}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            me, begun = psutil.Process(process.pid), time.perf_counter()
            before = after = me.cpu_times()
            for number, _ in enumerate(process.stdout, start=1):
                if number == seconds * 10:
                    after, took = me.cpu_times(), time.perf_counter() - begun
    print(f"  load of the machine: {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores")
    yield ratio("cpu / wall", after.user + after.system - before.user - before.system, took, 0.05)


def memory(samples: int) -> Iterator[bool]:
    with target(1000) as pid:
        print(f"{samples:,} samples of 1,000 sockets as fast as they come")
        command = [*WATCH, "--pid", str(pid), "--interval", "10ms", "--set", f"count={samples}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            sizes = []
            for number, _ in enumerate(process.stdout):
                if number in (samples // 20, samples - 1):
                    sizes.append(psutil.Process(process.pid).memory_info().rss / 2**20)
    print(f"  resident after {samples // 20:,} samples {sizes[0]:.1f} MiB, after {samples:,} {sizes[1]:.1f} MiB")
    yield ratio("resident at the end / at 5 %", sizes[1], sizes[0], 1.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=16000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--hermes", default=shutil.which("hermes"))
    asked = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    results = [*looks(asked.sockets, asked.rounds), *cold(asked.rounds, asked.hermes), *watch(asked.seconds)]
    results += watch(asked.seconds, waiting=10_000)
    results += memory(asked.samples)
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
