"""`scripts/bench logs`: how long `hermes-diag logs` takes for 1 GB, in how much memory, and if it counts right.

--size N in MB, --sessions N under way at once (1: then the log leaves no doubt which client a line is about), --seed N.
The log is that of scripts/synthetic_log.py. Each promise is printed with its number and its limit; exit code 1 when one
was not held.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import synthetic_log

#: Seconds and MB for each GB of log.
SECONDS, MEMORY = 20.0, 100.0
#: What a log tells of each request client for sure; and what of those that were left while several were under way.
SURE = ("created", "closed", "cut", "under_way")
SPLIT = ("ended_by_others", "stranded", "aborted_unclosed", "endless")


def counted(document: dict) -> dict[str, int]:
    """The counts of a report, by the names of the truth."""
    roles = document["roles"]
    found = {name: document["clients"][name] for name in (*SURE, *SPLIT)}
    found |= {f"{verb} shared": roles["shared"][verb] for verb in ("created", "closed")}
    found["closed by others"] = roles["request"]["closed"] - found["closed"]
    found |= {"aborted": roles["request"]["aborted"], "nothing_closed": roles["request"]["force_closed_nothing"]}
    found |= {name: document[name] for name in ("turns", "calls", "retries", "given_up")}
    return {**found, "failures": sum(document["failures"].values()), **document["failures"]}


def wrong(document: dict, truth: dict[str, int]) -> dict[str, tuple[int, int]]:
    """By name: what was counted, and what is true. The parts of SPLIT stand under "left", too, as their sum."""
    found = counted(document)
    found["left"] = sum(found[name] for name in SPLIT)
    true = {**truth, "left": sum(truth.get(name, 0) for name in SPLIT)}
    return {name: (found[name], true.get(name, 0)) for name in found if found[name] != true.get(name, 0)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=float, default=1000.0)
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = synthetic_log.Log(random.Random(asked.seed), sessions=asked.sessions)
        turns = int(asked.size * 1e6 / synthetic_log.TURN / 10)
        paths = synthetic_log.write(Path(folder), synthetic_log.stamped(log.lines(10, turns), None), int(2e12))
        size = sum(path.stat().st_size for path in paths) / 1e6
        command = [sys.executable, "-m", "hermes_diag", "logs", "--json", *map(str, paths)]
        begun = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            out = process.stdout.read()
            _, _, used = os.wait4(process.pid, 0)
            process.returncode = 0
        seconds, memory = time.monotonic() - begun, used.ru_maxrss / 1000
    errors = wrong(json.loads(out), log.truth)
    split = {name: errors.pop(name) for name in SPLIT if name in errors}
    limit = SECONDS * max(size, 50) / 1000
    print(f"{size:,.0f} MB with {log.truth['created']:,} request clients, {asked.sessions} sessions at once")
    print(f"{seconds:.1f} s ({used.ru_utime + used.ru_stime:.1f} s of processor time), at most {limit:.1f} s")
    print(f"{memory:.0f} MB of memory, at most {MEMORY:.0f} MB")
    print(f"counts that are wrong: {errors or 'none'}; by what became of clients that were left: {split or 'none'}")
    return int(seconds > limit or memory > MEMORY or bool(errors) or (asked.sessions == 1 and bool(split)))


if __name__ == "__main__":
    sys.exit(main())
