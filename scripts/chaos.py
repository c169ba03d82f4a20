"""Disturbs runs whose verdict is known, at random moments, and checks what becomes of them.

Each round picks a command (chaos_commands.py) and a disturbance (a file of disturbances/, found by listing the folder).
It is well when the verdict is the right one, or an honest "could not measure" (3) or "interrupted" (130, or ended by
the signal that was sent); when after 2 s no process and no port of the run is left; when stderr has nothing but our
words; when every capture can be read again; and when no temporary folder is left, after kill -9 none after the next
run.

`--seed S --rounds 1` repeats the round that said S. Exit 0: all rounds well; 1: not.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import pkgutil
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import psutil

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

import chaos_commands  # noqa: E402
import disturbances  # noqa: E402

#: What Python says by itself, and what we never should.
NOT_OURS = re.compile(
    r"Traceback|internal error|Exception ignored|never retrieved|Fatal Python|Exception in thread|RuntimeWarning|"
    r"ResourceWarning|^\s+File \"",
    re.MULTILINE,
)
HONEST = (3, 130)
MARK = "HERMES_DIAG_CHAOS"
#: Seconds that a round may last, and that what it started may need to end.
LONGEST, TO_END = 90.0, 2.0


@dataclass
class Round:
    """One command under one disturbance."""

    seed: int
    folder: Path
    random: random.Random
    command: chaos_commands.Command
    host: subprocess.Popen[bytes] | None = None
    wrong: list[str] = field(default_factory=list)
    #: What a disturbance may change before the command starts.
    environment: dict[str, str] = field(default_factory=dict)
    before: list[str] = field(default_factory=list)  # a program that runs it
    stdout: int | None = None
    stderr: int | None = None
    honest: tuple[int, ...] = HONEST  # exit codes that are well, beside the right one

    @property
    def disk(self) -> Path:
        """Where captures are written."""
        return self.folder / "disk"

    @property
    def mark(self) -> str:
        return f"{MARK}={self.folder.name}"

    def family(self) -> list[psutil.Process]:
        """Every process of this round, whoever its parent is by now."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARK) == self.folder.name and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def of_role(self, role: str) -> psutil.Process | None:
        """host, interpreter, lane, job (of a worker), target (of a watch or a trace); None where there is none now."""
        assert self.host is not None
        with contextlib.suppress(psutil.Error):
            host = psutil.Process(self.host.pid)
            if role == "host":
                return host
            others = host.children(recursive=True)
            if role == "target":
                others = [one for one in self.family() if set(one.cmdline()) & set(chaos_commands.TARGETS)]
                return others[0] if others else None
            depth = ("interpreter", "lane", "job").index(role) + 1
            found = [
                one for one in others if len([p for p in one.parents() if p.pid != 1 and p in (host, *others)]) == depth
            ]
            return self.random.choice(found) if found else None
        return None

    def wait(self) -> float:
        """Sleep until a random moment of the run; the seconds."""
        seconds = self.random.uniform(0.0, self.command.seconds)
        time.sleep(seconds)
        return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None, help="of the first round; each further one has the next")
    parser.add_argument("--only", default="", help="part of the name of a disturbance")
    parser.add_argument("--command", default="", help="part of the name of a command")
    options = parser.parse_args()
    first = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    outcomes: dict[str, Counter[str]] = {}
    failed = []
    for seed in range(first, first + options.rounds):
        name, said, wrong = run(seed, options.only, options.command)
        outcomes.setdefault(name.partition(" of ")[0], Counter())["WRONG" if wrong else said] += 1
        if wrong:
            failed.append(seed)
            print(f"--seed {seed} --rounds 1: {name}: {'; '.join(wrong)}", flush=True)
    print_table(outcomes)
    idle = sum(counts["not possible here"] for counts in outcomes.values())
    well = options.rounds - len(failed) - idle
    seeds = f"seeds {first} to {first + options.rounds - 1}"
    print(f"{well} rounds well, {len(failed)} wrong, {idle} not possible here; {seeds}")
    return 1 if failed else 0


def print_table(outcomes: dict[str, Counter[str]]) -> None:
    columns = ("right", "3", "130", "ended by it", "not possible here", "WRONG")
    print(f"{'disturbance':<24}" + "".join(f"{name:>19}" for name in columns))
    for name, counts in sorted(outcomes.items()):
        print(f"{name:<24}" + "".join(f"{counts[column] or '':>19}" for column in columns))


def modules() -> dict[str, ModuleType]:
    """Every disturbance by its name."""
    names = sorted(module.name for module in pkgutil.iter_modules(disturbances.__path__))
    return {name.replace("_", " "): importlib.import_module(f"disturbances.{name}") for name in names}


def run(seed: int, only: str = "", wanted: str = "") -> tuple[str, str, list[str]]:
    """One round: (disturbance and command, how it ended, what was wrong)."""
    chance = random.Random(seed)
    known = {name: module for name, module in modules().items() if only in name}
    name = chance.choice(sorted(known))
    module = known[name]
    commands = [
        one for one in chaos_commands.COMMANDS if wanted in one.name and getattr(module, "fits", lambda _: True)(one)
    ]
    command = chance.choice(commands)
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        for made in ("tmp", "disk"):
            (folder / made).mkdir()
        one = Round(seed, folder, chance, command)
        said = _disturbed(one, module)
        return f"{name} of {command.name}", said, one.wrong


def _disturbed(one: Round, module: ModuleType) -> str:
    with contextlib.ExitStack() as stack:
        place = str(one.folder / "tmp")
        one.environment = {MARK: one.folder.name, "TMPDIR": place, "XDG_RUNTIME_DIR": place}
        try:
            sent = stack.enter_context(module.around(one))
        except disturbances.NotPossible:
            return "not possible here"
        environment = {**os.environ, **one.environment}
        arguments = one.command.start(one, stack, environment)
        with open(one.folder / "stdout", "wb") as out, open(one.folder / "stderr", "wb") as err:
            one.host = subprocess.Popen(
                [*one.before, sys.executable, "-m", "hermes_diag", *arguments],
                stdout=out if one.stdout is None else one.stdout,
                stderr=err if one.stderr is None else one.stderr,
                stdin=subprocess.DEVNULL, env=environment, cwd=one.folder, start_new_session=True,
            )  # fmt: skip
        stack.callback(_end, one)
        sent = module.during(one) if hasattr(module, "during") else sent
        if one.command.ends_by is not None:
            with contextlib.suppress(ProcessLookupError):
                time.sleep(0.2)
                one.host.send_signal(one.command.ends_by)
        try:
            code = one.host.wait(LONGEST)
        except subprocess.TimeoutExpired:
            one.wrong.append(f"no end after {LONGEST:.0f} s")
            return "WRONG"
        _check_captures(one)  # a disk may be gone behind this
    said = _judged(one, code, sent or ())
    _check(one, killed=9 in (sent or ()))
    return said


def _judged(one: Round, code: int, sent: tuple[int, ...]) -> str:
    """How it ended, in a word of the table; what is wrong with it is written down."""
    if code == one.command.code:
        return "right"
    if code in one.honest:
        return str(code)
    if any(code in (-number, 128 + number) for number in sent):
        return "ended by it"
    one.wrong.append(f"exit code {code} (sent: {sent}) in the place of {one.command.code}: {_tail(one)}")
    return "WRONG"


def _tail(one: Round) -> str:
    return " | ".join(
        (one.folder / name).read_text(errors="replace")[-300:].strip().replace("\n", " / ")
        for name in ("stdout", "stderr")
    )


def _check_captures(one: Round) -> None:
    for saved in one.disk.glob("*.jsonl"):
        again = subprocess.run(
            [sys.executable, "-m", "hermes_diag", "report", saved], capture_output=True, text=True, check=False
        )
        empty = "is empty" in again.stderr or "within its first line" in again.stderr
        # Of a trace it is the exit code of the program, which a signal may have ended.
        told = again.returncode in (0, 1, 3, 130) or 128 < again.returncode < 160
        if (not told and not empty) or NOT_OURS.search(again.stderr):
            one.wrong.append(f"{saved.name} cannot be read: exit {again.returncode}: {again.stderr[-300:]!r}")


def _check(one: Round, killed: bool) -> None:
    deadline = time.monotonic() + TO_END
    while (left := one.family()) and time.monotonic() < deadline:
        time.sleep(0.05)
    if left:
        one.wrong.append(f"left running: {[' '.join(process.cmdline())[-80:] for process in left]}")
    said = (one.folder / "stderr").read_text(errors="replace")
    if found := NOT_OURS.search(said):
        one.wrong.append(f"on stderr: {said[max(0, found.start() - 100) : found.start() + 400]!r}")
    if killed:  # the next run sweeps
        code = f"from hermes_diag.core import scratch; scratch.sweep(); scratch.sweep_drafts({str(one.disk)!r})"
        subprocess.run([sys.executable, "-c", code], env={**os.environ, **one.environment}, check=True)
    if rest := sorted(path.name for path in (*(one.folder / "tmp").glob("hermes-diag-*"), *one.disk.glob(".*.part"))):
        one.wrong.append(f"temporary folders or files left: {rest}")


def _end(one: Round) -> None:
    """Nothing of a round that went wrong goes on."""
    if one.host is not None and one.host.poll() is None:
        for process in one.family():
            with contextlib.suppress(psutil.Error):
                process.kill()
        one.host.kill()
        one.host.wait()


if __name__ == "__main__":
    sys.exit(main())
