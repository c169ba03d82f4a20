"""`scripts/bench start`: the cold start of each command, beside `python -c pass`, `import typer` and `hermes --help`.

CPU seconds of whole processes (the machine may be busy), interleaved, medians of so many rounds: --rounds N (5).
`hermes` is that of --hermes PATH, of HERMES_DIAG_HERMES_PYTHON or of PATH. Exit code 1 when `sockets` takes more
than 0.8 of `hermes --help`.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from hermes_diag.cli.app import COMMANDS

LIMIT = 0.8
DIAG = str(Path(sys.executable).with_name("hermes-diag"))


def cpu(command: list[str]) -> float:
    """CPU seconds, user and system, of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def hermes(given: str | None) -> str | None:
    """The `hermes` to compare with, if there is one."""
    python = os.environ.get("HERMES_DIAG_HERMES_PYTHON")
    return given or (str(Path(python).with_name("hermes")) if python else None) or shutil.which("hermes")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hermes")
    asked = parser.parse_args()
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import typer": [sys.executable, "-c", "import typer"],
        "sockets PID": [DIAG, "sockets", str(os.getpid())],
        **{f"hermes-diag {name} --help": [DIAG, name, "--help"] for name in COMMANDS},
    }
    if found := hermes(asked.hermes):
        commands["hermes --help"] = [found, "--help"]
    for command in commands.values():
        cpu(command)  # warms the file cache
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(asked.rounds):
        for name, command in commands.items():
            times[name].append(cpu(command))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, seconds in medians.items():
        beside = f"   of hermes --help {seconds / medians['hermes --help']:5.2f}" if found else ""
        ours = f"{name:<28} {seconds * 1000:6.0f} ms   of python -c pass {seconds / medians['python -c pass']:5.1f}"
        print(ours + beside)
    if not found:
        print("not compared with `hermes --help`: name one with --hermes")
        return 0
    ratio = medians["sockets PID"] / medians["hermes --help"]
    print(f"sockets PID / hermes --help: {ratio:.2f} (at most {LIMIT:g}): {'held' if ratio <= LIMIT else 'NOT HELD'}")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
