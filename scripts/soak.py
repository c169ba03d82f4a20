"""What grows in the processes of ours that run for long; run by scripts/soak.

    turns      100,000 turns of a pool, in 50 runs of one process
    watch      an hour of `sockets --watch` at 10 Hz, of a process whose connections come and go
    provider   a million requests to `serve`, of a client that opens a connection for each hundred
    trace      what a program opens in a day, ten descriptors a second, as fast as it can

`--short`: a hundredth of each. Memory, descriptors and threads of each process of ours are looked at all the time. One
is flat when the median of its last quarter is not above that of its second quarter by more than noise: 2 descriptors or
threads, 4 MB or 5 in 100 of memory. The first quarter is warm-up. 1 when one is not flat.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
#: Seconds between two looks. A process that was there for less than half of them is left out.
LOOK_EVERY = 0.1
#: Noise: megabytes, or a part of what there was; descriptors and threads.
NOISE_MB, NOISE_PART, NOISE = 4.0, 0.05, 2
HERMES_DIAG = [sys.executable, "-m", "hermes_diag"]
BODY = b'{"model":"gpt-5","stream":true,"input":"hi"}'
REQUEST = b"POST /v1/responses HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY

#: Opens and closes ten connections and ten files, again and again, without end or until a number is reached.
OPENS = """
import os, socket, sys, time
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
number, pause = int(sys.argv[1]), float(sys.argv[2])
print("ready", flush=True)
for turn in range(number // 4):
    client = socket.create_connection(listener.getsockname())
    server = listener.accept()[0]
    file, other = open("/dev/null"), open(os.devnull, "rb")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
    for one in (file, other, client, server):
        one.close()
    if pause:
        time.sleep(pause)
"""

#: So many runs of 20 sessions with 100 turns each; prints the attempts, and those that ended well.
RUNS = """
import sys
from hermes_diag import api
factory, (runs, sessions, turns) = sys.argv[1], map(int, sys.argv[2:])
done = well = 0
for _ in range(runs):
    found = api.loop(factory, workloads=["steady"], ends=["close"], sessions=sessions, turns=turns)
    done += sum(cell.attempts for cell in found.report.cells)
    well += sum(cell.ok for cell in found.report.cells)
print(done, well)
"""


@dataclass
class Process:
    """What one process took: a value for each look."""

    name: str
    mb: list[float] = field(default_factory=list)
    fds: list[float] = field(default_factory=list)
    threads: list[float] = field(default_factory=list)

    def grown(self) -> list[str]:
        """What of it is not flat."""
        found = []
        for what, values in (("MB", self.mb), ("descriptors", self.fds), ("threads", self.threads)):
            quarter = len(values) // 4
            before, after = statistics.median(values[quarter : 2 * quarter]), statistics.median(values[-quarter:])
            if after - before > (max(NOISE_MB, NOISE_PART * before) if what == "MB" else NOISE):
                found.append(f"{what} from {before:.0f} to {after:.0f}")
        return found

    def line(self) -> str:
        shown = [f"{values[len(values) // 4]:.0f} .. {values[-1]:.0f}" for values in (self.mb, self.fds, self.threads)]
        return f"{self.name:<28} {len(self.mb):>6} {shown[0]:>14} {shown[1]:>14} {shown[2]:>10}"


@contextmanager
def looked_at(process: subprocess.Popen[bytes]) -> Iterator[list[Process]]:
    """What the process and all that it starts take meanwhile."""
    seen: dict[int, Process] = {}
    looks = 0
    ended = threading.Event()

    def look() -> None:
        nonlocal looks
        top = psutil.Process(process.pid)
        while not ended.wait(LOOK_EVERY):
            looks += 1
            with contextlib.suppress(psutil.Error):
                for one in (top, *top.children(recursive=True)):
                    with contextlib.suppress(psutil.Error):
                        taken = one.memory_info().rss / 2**20, one.num_fds(), one.num_threads()
                        if taken[0]:
                            at = seen.setdefault(one.pid, Process(_named(one)))
                            for values, value in zip((at.mb, at.fds, at.threads), taken, strict=True):
                                values.append(value)

    thread = threading.Thread(target=look)
    thread.start()
    found: list[Process] = []
    try:
        yield found
    finally:
        ended.set()
        thread.join()
        found += [one for one in seen.values() if len(one.mb) > looks / 2 and len(one.mb) >= 8]


def _named(process: psutil.Process) -> str:
    words = [Path(word).name for word in process.cmdline() if not word.startswith("-") and "\n" not in word]
    return f"{process.pid} {' '.join(words[1:3])}"[:28]


def turns(part: float) -> list[Process]:
    """Runs one after the other in one process, as a test suite has them: a run keeps its evidence until it is judged,
    some 2 KB a turn, and nothing of it behind that."""
    number = max(8, int(50 * part))
    command = [sys.executable, "-c", RUNS, f"{ROOT}/tests/factories.py:RightPool", str(number), str(20), str(100)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as process,
        looked_at(process) as found,
    ):
        assert process.stdout
        done, well = map(int, process.stdout.read().split())
        process.wait()
    print(f"turns: {done} attempts in {number} runs, {well} of them ended well")
    return found


def watch(part: float) -> list[Process]:
    """A process whose connections come and go, looked at ten times a second."""
    seconds = max(30, int(3600 * part))
    program = [sys.executable, "-c", OPENS, str(10**9), "0.01"]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as target, tempfile.TemporaryDirectory() as folder:
        try:
            assert target.stdout
            assert target.stdout.readline() == b"ready\n"
            command = [
                *HERMES_DIAG, "sockets", str(target.pid), "--watch", "--interval", "100ms", "--duration", f"{seconds}s",
                "--save", f"{folder}/watch.jsonl",
            ]  # fmt: skip
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process, looked_at(process) as found:
                code = process.wait()
            size = Path(folder, "watch.jsonl").stat().st_size
        finally:
            target.kill()
    print(f"watch: {seconds} s, exit code {code}, a capture of {size / 2**20:.1f} MB")
    return found


def provider(part: float) -> list[Process]:
    """`serve`, asked by one client."""
    number = max(20_000, int(1_000_000 * part))
    command = [*HERMES_DIAG, "serve", "--json"]
    with tempfile.TemporaryFile() as log, subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        greeting = json.loads(process.stdout.readline())
        drained = threading.Thread(target=lambda: log.write(b"".join(process.stdout or [])[-10_000:]))
        drained.start()
        port = int(greeting["base_url"].rpartition(":")[2].partition("/")[0])
        with looked_at(process) as found:
            for _ in range(number // 100):
                with socket.create_connection(("127.0.0.1", port)) as sock:
                    for _ in range(10):
                        _ask_ten(sock)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
        process.terminate()
        drained.join()
        log.seek(0)
        tally = json.loads(log.read().splitlines()[-1])
    print(f"provider: {tally['requests']} requests on {tally['connections']} connections")
    return found


def _ask_ten(sock: socket.socket) -> None:
    sock.sendall(REQUEST * 10)
    answered = 0
    while answered < 10:
        part = sock.recv(1 << 20)
        if not part:
            raise SystemExit("the provider has closed before its answers")
        answered += part.count(b"0\r\n\r\n")


def trace(part: float) -> list[Process]:
    """A program that opens as much as in a day, with the recorder in it; its own memory and descriptors count."""
    number = max(20_000, int(864_000 * part))
    command = [*HERMES_DIAG, "trace", "--", sys.executable, "-c", OPENS, str(number), "0"]
    with (
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process,
        looked_at(process) as found,
    ):
        assert process.stderr
        said = process.stderr.read().decode()
        code = process.wait()
    print(f"trace: {number} descriptors opened, exit code {code}: {said.strip().splitlines()[-1:]}")
    return found


PARTS: dict[str, Callable[[float], list[Process]]] = {
    "turns": turns,
    "watch": watch,
    "provider": provider,
    "trace": trace,
}


def main() -> int:
    parser = argparse.ArgumentParser(description="What grows in the processes of ours that run for long.")
    parser.add_argument("parts", nargs="*", help=", ".join(PARTS))
    parser.add_argument("--short", action="store_true", help="a hundredth of each")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    bad = False
    for name in asked.parts or PARTS:
        begun = time.monotonic()
        found = PARTS[name](0.01 if asked.short else 1)
        print(f"{name}: {time.monotonic() - begun:.0f} s")
        print(f"  {'process':<28} {'looks':>6} {'MB':>14} {'descriptors':>14} {'threads':>10}")
        for one in found:
            grown = one.grown()
            bad |= bool(grown)
            print(f"  {one.line()}  {', '.join(grown) or 'flat'}", flush=True)
        bad |= not found
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
