"""Writes docs/proof.md: what scripts measured, with the machine and the versions; run by scripts/proof.

Each part is a script, what it printed last, how long it took and with which code it ended. A part that is not named
stays as it is in the document.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "proof.md"
#: Lines of its output that are kept of each part, the last ones.
MOST = 60
HEAD = """# Proof

What was measured, by which script, on which machine. Written by `scripts/proof`, which measures it again:
`./scripts/proof` for all of it, which takes hours, or `./scripts/proof PART`. An exit code of 0 says that the script
found nothing wrong; [CONTRIBUTING.md](../CONTRIBUTING.md) says what each looks for.
"""


@dataclass(frozen=True)
class Part:
    """command: below the root of the repository. asks: the question that it answers."""

    command: tuple[str, ...]
    asks: str


PARTS = {
    "truth": Part(
        ("scripts/truth", "clients"), "How often is `check` right about clients of which the truth is known?"
    ),
    "chaos": Part(("scripts/chaos", "--rounds", "500"), "Does a disturbance at any moment lead to a wrong verdict?"),
    "fuzz": Part(("scripts/fuzz", "all", "--inputs", "1000000"), "Does any input break a reader?"),
    "siege": Part(("scripts/siege",), "What do clients that mean it no good take from what listens?"),
    "soak": Part(("scripts/soak",), "Does anything of ours grow that runs for long?"),
    "secrets": Part(("scripts/secrets",), "Is a planted secret in any output, file or process of any command?"),
    "coverage": Part(("scripts/coverage",), "How much of the code, branches too, does the suite run?"),
    "mutation": Part(("scripts/mutation",), "How many changes of the judgement does the suite find?"),
    "start": Part(("scripts/bench", "start"), "How long does a command take to start?"),
    "provider": Part(
        ("scripts/bench", "provider"), "How many requests a second does the provider answer, beside others?"
    ),
}


def main(names: list[str]) -> int:
    if unknown := set(names) - set(PARTS):
        print(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    kept, worst = written(), 0
    for name in names or PARTS:
        kept[name], code = measured(name)
        worst = max(worst, code)
        DOCUMENT.write_text(HEAD + "".join(kept[one] for one in PARTS if one in kept))
        print(f"{name}: written to docs/{DOCUMENT.name}", flush=True)
    return worst


def written() -> dict[str, str]:
    """The parts that the document has."""
    text = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    pieces = re.split(r"(?m)^(?=## )", text)[1:]
    return {piece[3:].split("\n", 1)[0]: f"\n{piece.rstrip()}\n" for piece in pieces}


def measured(name: str) -> tuple[str, int]:
    """A part of the document, measured now, and the exit code of its script."""
    part, begun, day = PARTS[name], time.monotonic(), datetime.now(UTC).date()
    done = subprocess.run(
        [f"./{part.command[0]}", *part.command[1:]], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    seconds = time.monotonic() - begun
    lines = [line.rstrip().replace(str(ROOT), "...") for line in done.stdout.splitlines()][-MOST:]
    shown = "\n".join(lines)
    text = (
        f"\n## {name}\n\n{part.asks} `./{' '.join(part.command)}`: exit code {done.returncode} after {_time(seconds)}, "
        f"{day}, commit {_commit()}.\n{_machine()}\n\n```text\n{shown}\n```\n"
    )
    return text, abs(done.returncode)


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 180 else f"{seconds / 60:.0f} min"


def _commit() -> str:
    done = subprocess.run(  # nosec B607
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in ("openai", "httpx", "psutil", "typer", "rich"))
    system = f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GB, {system}; {packages}."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
