"""Of everything that is opened in many ways the line is told, and it is the right one (tests/openers.py)."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hermes_diag.leakguard import boxes, traced
from hermes_diag.watch.descriptors import Descriptors
from tests.conftest import ROOT, Cli

OPENERS = ROOT / "tests" / "openers.py"
#: Line -> name, as the comments say.
LINES = {
    number: found[1]
    for number, line in enumerate(OPENERS.read_text().splitlines(), start=1)
    if (found := re.search(r"# opens: (\w+)$", line))
}
Said = dict[tuple[int, str, int], dict[str, Any]]


@contextmanager
def recorded(folder: Path, *command: object) -> Iterator[dict[str, Any]]:
    """A program that runs in a trace; what it says in its first line."""
    with subprocess.Popen(
        [sys.executable, *map(str, command)],
        env=traced.environment(folder, paths=False),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            pytest.fail(process.communicate()[1])
        try:
            yield json.loads(line)
        finally:
            said = process.communicate()[1]
    assert "hermes-diag" not in said, said


def origins(cli: Cli, pid: int) -> Said:
    """What `sockets` says of each descriptor and thread."""
    ran = cli("sockets", pid, "--children", "--json")
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)["origins"]
    found = {(one["pid"], "fd", one["fd"]): one["opened"] for one in said["descriptors"]}
    return {**found, **{(one["pid"], "thread", one["tid"]): one["started"] for one in said["threads"]}}


def place(opened: dict[str, Any] | None) -> int:
    """The line of openers.py that is told; 0: none."""
    lines = opened["lines"] if opened else []
    found = re.match(r"openers\.py:(\d+) in ", lines[0]) if lines else None
    return int(found[1]) if found else 0


@pytest.mark.parametrize("load", [[], ["--busy"]], ids=["", "under load"])
def test_the_line_is_right(cli: Cli, tmp_path: Path, load: list[str]) -> None:
    folder = tmp_path / "boxes"
    with recorded(folder, OPENERS, random.randrange(10**6), *load) as program:
        said = origins(cli, program["pid"])
    wrong, held = [], set()
    for one in program["held"]:
        for kind, number in [("fd", fd) for fd in one["fds"]] + [("thread", tid) for tid in one.get("threads", ())]:
            held.add(one["name"])
            opened = said.get((one["pid"], kind, number))
            if LINES.get(place(opened)) != one["name"]:
                wrong.append(f"{one['name']} {kind} {number}: line {place(opened)}, {opened}")
    assert not wrong, f"seed {program['seed']}\n" + "\n".join(wrong)
    assert held == set(LINES.values())  # each way has held something
    assert len(held) >= 40
    twins = [number for number, line in enumerate(OPENERS.read_text().splitlines(), 1) if line.endswith("# twin")]
    assert len(twins) >= 40
    # A forked child may truly hold what a busy thread had open at that moment.
    blamed = [(key, one) for key, one in said.items() if key[:2] == (program["pid"], "fd") and place(one) in twins]
    assert not blamed, f"seed {program['seed']}"


AGAIN = """\
import ctypes, os, random, socket, sys

libc = ctypes.CDLL(None)
chooser = random.Random(int(sys.argv[1]))
ours, theirs = socket.socketpair()
never_announced = libc.socket(1, 1, 0)
fd = os.dup(0)
os.close(fd)  # the number that comes again and again
ways = []
for number in range(40):
    code = "\\n" * number + "def way(): return socket.socket()"
    exec(compile(code, __file__.replace("again", f"way{number}"), "exec"))
    ways.append((way, f"way{number}.py:{number + 1} in way"))
print('""', flush=True)
for _ in sys.stdin:
    kind = chooser.choice(["line", "line", "C code", "dup2", "received", "file of C code"])
    place, made = "", None
    if kind == "line":
        way, place = chooser.choice(ways)
        made = way()
    elif kind == "C code":
        libc.socket(chooser.choice([1, 2]), 1, 0)
    elif kind == "dup2":
        if chooser.random() < 0.5:
            made = chooser.choice(ways)[0]()  # replaced at once: its line is not to be told
        os.dup2(never_announced, fd)
        if made:
            made.detach()
    elif kind == "received":
        socket.send_fds(ours, [b"x"], [never_announced])
        socket.recv_fds(theirs, 1, 1)
    else:
        open(__file__).close()
        libc.open(b"/dev/null", 0)
    print(f"{fd} {kind}|{place}", flush=True)
    sys.stdin.readline()
    made.close() if made and made.fileno() >= 0 else os.close(fd)
"""


def test_a_number_that_comes_again_is_never_taken_for_another_opening(tmp_path: Path) -> None:
    """A thousand times, by changing lines and by C code that Python announces nothing of."""
    script = tmp_path / "again.py"
    script.write_text(AGAIN)
    seed = random.randrange(10**6)
    seen: dict[str, int] = {}
    with subprocess.Popen(
        [sys.executable, str(script), str(seed)],
        env=traced.environment(tmp_path / "boxes", paths=False),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        for turn in range(1000):
            process.stdin.write("\n")
            process.stdin.flush()
            what, _, expected = process.stdout.readline().rstrip().partition("|")
            fd, _, kind = what.partition(" ")
            box = boxes.find(process.pid)
            assert box is not None
            known = Descriptors(process.pid)
            known.refresh(frozenset())
            opened = dict(boxes.matched(box, known.holding())).get(int(fd))
            assert (opened.place if opened else "") == expected, f"seed {seed}, turn {turn}: {kind}"
            seen[kind] = seen.get(kind, 0) + 1
            process.stdin.write("\n")
            process.stdin.flush()
        process.communicate()
    assert len(seen) == 5
