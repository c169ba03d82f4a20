"""Record tests/golden/ anew: for each rule one real capture on which it fires and one on which it does not.

Run by hand after a change of the capture's schema: .venv/bin/python scripts/golden.py
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

GOLDEN = Path(__file__).parent.parent / "tests" / "golden"
SMALL = ["--sessions", "2", "--turns", "5"]
DRY = ["--turns", "101"]
#: Hermes Agent 0.16.0 sends a request again when it was given up.
HERMES = ["0.16.0", "--turns", "4"]

#: A client that another thread closes while its stream is read.
RECYCLED = ("factory/close/recycled", ["tests/closers.py:stock", "--turns", "4"])
LIMITED = "rate-limit=120:burst=1:retry_after=ms"


def _under(fault: str, turn: str) -> tuple[str, list[str]]:
    """A turn of tests/turns.py under a fault; one at a time, so that it can be told whose requests are whose."""
    arguments = [f"tests/turns.py:{turn}", "--sessions", "1", "--turns", "4", "--fault", fault]
    return f"factory/close/steady/{fault}", arguments


#: rule -> ((cell, arguments) that it fires on, the same for quiet)
CASES: dict[str, tuple[tuple[str, list[str]], tuple[str, list[str]]]] = {
    "reset-sockets-grow": (
        ("fixed/abandon/steady/idle-reset", [*SMALL, "--fault", "idle-reset"]),
        ("buggy/abandon/steady/idle-reset", [*SMALL, "--fault", "idle-reset"]),
    ),
    "posts-unwanted": (("hermes/aborted", HERMES), ("hermes/steady", HERMES)),
    "ownerless-grows": (
        ("silent-stream-aborted/bad", []),
        ("silent-stream-aborted/good", []),
    ),
    "closed-transport-reused": (("buggy/close/steady", SMALL), ("fixed/close/steady", SMALL)),
    "close-wait-grows": (("fixed/abandon/steady", SMALL), ("buggy/abandon/steady", SMALL)),
    "established-grows": (
        ("fixed/abandon/steady", [*SMALL, "--set", "idle-close=never"]),
        ("buggy/abandon/steady", [*SMALL, "--set", "idle-close=never"]),
    ),
    "isolation-price": (("measure", SMALL), ("fixed/close/steady", SMALL)),
    "kwargs-mutated": (("buggy/close/steady", SMALL), ("fixed/close/steady", SMALL)),
    "limits-shrunk": (("buggy/abandon/steady", SMALL), ("fixed/abandon/steady", SMALL)),
    "pool-exhausted": (("buggy/abandon/interrupted", DRY), ("fixed/abandon/interrupted", DRY)),
    "retries-useless": (
        ("buggy/close/steady", [*SMALL, "--retries", "1"]),
        ("fixed/close/steady", [*SMALL, "--retries", "1"]),
    ),
    "stream-abandoned": (("fixed/abandon/interrupted", SMALL), ("fixed/close/interrupted", SMALL)),
    "stream-killed": (("buggy/close/overlapping", SMALL), ("fixed/close/overlapping", SMALL)),
    "too-few-gaps": (("buggy/abandon/steady", ["--turns", "2"]), ("fixed/close/steady", ["--turns", "2"])),
    "closed-loop-reused": (
        ("factory/close/steady", ["tests/factories.py:AsyncPool", "--turns", "4", "--set", "loop=new"]),
        ("factory/close/steady", ["tests/factories.py:right_async", "--turns", "4", "--set", "loop=new"]),
    ),
    "collector-needed": (
        ("factory/close/steady", ["tests/turns.py:drops", "--turns", "4"]),
        ("factory/close/steady", ["tests/turns.py:plain", "--turns", "4"]),
    ),
    "memory-grows": (
        ("factory/close/steady", ["tests/turns.py:leaks", "--turns", "8"]),
        ("factory/close/steady", ["tests/factories.py:RightPool", "--turns", "8"]),
    ),
    "never-reused": (
        ("factory/close/steady", ["tests/factories.py:RightPool", "--turns", "4", "--api", "chat"]),
        ("factory/close/steady", ["tests/factories.py:RightPool", "--turns", "4"]),
    ),
    "proxy-bypassed": (
        ("factory/close/steady", ["tests/turns.py:past_the_proxy", "--turns", "4", "--set", "proxy=on"]),
        ("factory/close/steady", ["tests/turns.py:plain", "--turns", "4", "--set", "proxy=on"]),
    ),
    "retry-too-early": (_under(LIMITED, "hurries"), _under(LIMITED, "waits_as_told")),
    "refusal-retried": (_under("http-400", "hurries"), _under("http-400", "plain")),
    "retries-multiplied": (_under("http-500", "multiplies"), _under("http-500", "retries_once")),
    "address-awaited": (
        ("hermes/unreachable", ["0.16.0", "--workload", "unreachable"]),
        ("hermes/steady", HERMES),
    ),
    "requests-per-turn": (_under("http-500", "retries_once"), _under("http-400", "plain")),
    "retries-untold": (
        ("factory/close/steady/http-400", ["tests/turns.py:hurries", "--turns", "4", "--fault", "http-400"]),
        _under("http-400", "hurries"),
    ),
    "descriptor-recycled": (RECYCLED, ("factory/close/recycled", [*RECYCLED[1], "--set", "abort=shutdown"])),
    "descriptor-freed-early": (RECYCLED, ("factory/close/recycled", [*RECYCLED[1], "--set", "abort=shutdown"])),
    "transport-shared": (("buggy/abandon/steady", SMALL), ("fixed/abandon/steady", SMALL)),
}


def record(target: Path, cell: str, arguments: list[str]) -> None:
    """Run one cell for real and keep its records."""
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder) / "run.jsonl"
        command = [sys.executable, "-m", "hermes_diag", *asked(cell), "--save", str(capture), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            sys.exit(f"{cell}: exit code {done.returncode}\n{done.stderr}")
        head, *records = map(json.loads, capture.read_text().splitlines())
    head["plan"]["cells"] = [one for one in head["plan"]["cells"] if name(one) == cell]
    kept = [head, *(one for one in records if one.get("cell") == cell and one.get("label") != "tick")]
    target.write_text("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in kept))
    print(target.name, len(kept), "records")


def asked(cell: str) -> list[str]:
    """The command that runs a cell."""
    first, _, second = cell.partition("/")
    if first == "factory":
        return ["replay", "--workload", second.split("/")[1]]
    if first == "hermes":
        return ["hermes", "--workload", second]
    if cell.count("/") >= 2:
        strategy, end, workload = cell.split("/")[:3]
        return ["repro", "--strategy", strategy, "--end", end, "--workload", workload]
    return ["scenarios", first] if second else ["repro", "--workload", "steady"]


#: rule -> (strategy in tests/custom.py, workload): what no strategy of ours shows.
FLAWED = {
    "keepalive-lost": ("forgetful", "overlapping"),
    "timeout-changed": ("impatient", "steady"),
    "turns-failed": ("astray", "steady"),
    "threads-grow": ("hoarder", "steady"),
    "descriptors-grow": ("hoarder", "steady"),
    "worker-hung": ("stuck", "steady"),
    "slots-lost": ("hasty", "steady"),
    "tunnels-kept": ("wasteful", "steady"),
}


def record_flawed(target: Path, strategy: str, workload: str) -> None:
    """A cell of a client with one flaw."""
    sys.path.insert(0, str(GOLDEN.parent))
    import custom

    with tempfile.TemporaryDirectory() as folder:
        custom.run_flawed(Path(folder), strategy, workload, target)


def name(cell: dict[str, str]) -> str:
    if cell["scenario"]:
        return cell["scenario"]
    if cell["workload"] in ("fresh", "measure"):
        return cell["workload"]
    return "/".join(filter(None, (cell["strategy"], cell["end"], cell["workload"], cell["fault"])))


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for code, (fires, quiet) in CASES.items():
        if len(sys.argv) == 1 or code in sys.argv[1:]:
            record(GOLDEN / f"{code}.fires.jsonl", *fires)
            record(GOLDEN / f"{code}.quiet.jsonl", *quiet)
    for code, (strategy, workload) in FLAWED.items():
        if len(sys.argv) == 1 or code in sys.argv[1:]:
            record_flawed(GOLDEN / f"{code}.fires.jsonl", strategy, workload)
            record(GOLDEN / f"{code}.quiet.jsonl", f"fixed/close/{workload}", SMALL)
