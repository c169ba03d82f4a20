"""Commands whose verdict is known, each of a few seconds."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent.parent / "tests"
TARGET = str(TESTS / "target.py")
FACTORIES = TESTS / "factories.py"
OPENS = "import socket, time; kept = socket.socket(); time.sleep(1)"
CLOSES = "import socket, time; socket.socket().close(); time.sleep(1)"
#: What is in the command line of a process that is looked at.
TARGETS = (TARGET, OPENS, CLOSES)


@dataclass(frozen=True)
class Command:
    """code: its exit code when nobody disturbs it. seconds: that it lasts, about. start: its arguments, once what it
    needs runs (round, stack, environment). ends_by: the signal that ends it, which has no end of its own."""

    name: str
    code: int
    seconds: float
    start: Callable[[Any, ExitStack, dict[str, str]], list[str]]
    workers: bool = True  # whether it has workers, and not a target
    ends_by: int | None = None


def _plain(*arguments: object) -> Callable[[Any, ExitStack, dict[str, str]], list[str]]:
    return lambda one, stack, environment: [*map(str, arguments), *_saved(one)]


def _saved(one: Any) -> list[str]:
    """Now and then there is a capture of that name, which is to be replaced."""
    path = one.disk / "saved.jsonl"
    if one.random.random() < 0.3:
        with contextlib.suppress(OSError):  # the disk is full
            shutil.copyfile(TESTS / "golden" / "close-wait-grows.fires.jsonl", path)
            path.chmod(0o666)  # nosec B103 - whoever runs may replace it
            return ["--save", str(path), "--force"]
        with contextlib.suppress(OSError):  # none is there, and the disk is read-only
            path.unlink()
    return ["--save", str(path)]


def _watch(how: str, value: float, *arguments: str) -> Callable[[Any, ExitStack, dict[str, str]], list[str]]:
    def start(one: Any, stack: ExitStack, environment: dict[str, str]) -> list[str]:
        target = stack.enter_context(
            subprocess.Popen(
                [sys.executable, TARGET, how, str(value)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
            )
        )
        stack.callback(target.kill)
        assert target.stdout is not None
        target.stdout.readline()
        return ["sockets", str(target.pid), *arguments, *_saved(one)]

    return start


def _trace(code: str) -> Callable[[Any, ExitStack, dict[str, str]], list[str]]:
    return lambda one, stack, environment: [
        "trace", "--fail-on-left", *_saved(one), "--", sys.executable, "-c", code
    ]  # fmt: skip


def _plan(one: Any, stack: ExitStack, environment: dict[str, str]) -> list[str]:
    path = one.folder / "plan.toml"
    phase = '[[phase]]\nname = "{}"\nseconds = 1\nfaults = ["{}"]\n'
    path.write_text("loop = true\n" + phase.format("slow", "slow-events=0.1") + phase.format("busy", "http-503"))
    return ["serve", "--plan", str(path)]


SHORT = ("--timeout", "2")
WATCH = ("--watch", "--interval", "100ms", "--duration", "3s", "--fail-on", "fds>10")
COMMANDS = (
    Command("repro", 0, 5.0, _plain("repro", *SHORT, "--workload", "steady", "--turns", "4")),
    Command("replay good", 0, 4.0, _plain("replay", f"{FACTORIES}:right", *SHORT, "--workload", "steady")),
    Command("replay bad", 1, 4.0, _plain("replay", f"{FACTORIES}:mutates", *SHORT, "--workload", "steady")),
    Command("check good", 0, 6.0, _plain("check", f"{FACTORIES}:right")),
    Command("check bad", 1, 6.0, _plain("check", f"{FACTORIES}:never_closes")),
    Command("audit good", 0, 4.0, _plain("audit", f"{FACTORIES}:right")),
    Command("audit bad", 1, 4.0, _plain("audit", f"{FACTORIES}:ignores_proxy")),
    Command("sockets", 0, 0.5, _watch("idle", 3), workers=False),
    Command("watch good", 0, 3.5, _watch("idle", 3, *WATCH), workers=False),
    Command("watch bad", 1, 3.5, _watch("idle", 8, *WATCH), workers=False),
    Command("trace good", 0, 1.5, _trace(CLOSES), workers=False),
    Command("trace bad", 1, 1.5, _trace(OPENS), workers=False),
    Command("serve", 0, 1.5, lambda one, stack, environment: ["serve"], workers=False, ends_by=signal.SIGTERM),
    Command("serve plan", 0, 2.5, _plan, workers=False, ends_by=signal.SIGTERM),
)
