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

#: rule -> ((cell, arguments) that it fires on, the same for quiet)
CASES: dict[str, tuple[tuple[str, list[str]], tuple[str, list[str]]]] = {
    "closed-transport-reused": (("buggy/close/steady", SMALL), ("fixed/close/steady", SMALL)),
    "close-wait-grows": (("fixed/abandon/steady", SMALL), ("buggy/abandon/steady", SMALL)),
    "established-grows": (
        ("fixed/abandon/steady", [*SMALL, "--idle-close", "never"]),
        ("buggy/abandon/steady", [*SMALL, "--idle-close", "never"]),
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
    "transport-shared": (("buggy/abandon/steady", SMALL), ("fixed/abandon/steady", SMALL)),
    "turns-failed": (
        ("fixed/close/steady", ["PAYLOAD_REFUSED", "--turns", "2"]),
        ("fixed/close/steady", ["--turns", "2"]),
    ),
}


def record(target: Path, cell: str, arguments: list[str]) -> None:
    """Run one cell for real and keep its records."""
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder) / "run.jsonl"
        refused = Path(folder) / "refused.json"
        refused.write_text('{"input": "hi", "extra_headers": {"x-hermes-diag-fault": "none-such"}}')
        arguments = [str(refused) if one == "PAYLOAD_REFUSED" else one for one in arguments]
        if cell.count("/") == 2:
            strategy, release, workload = cell.split("/")
            arguments = [*arguments, "--strategy", strategy, "--release", release, "--workload", workload]
        else:
            arguments = [*arguments, "--workload", "steady"]
        command = [sys.executable, "-m", "hermes_diag", "repro", "--save", str(capture), *arguments]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        head, *records = map(json.loads, capture.read_text().splitlines())
    head["plan"]["cells"] = [one for one in head["plan"]["cells"] if name(one) == cell]
    kept = [head, *(one for one in records if one["cell"] == cell and one.get("label") != "tick")]
    target.write_text("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in kept))
    print(target.name, len(kept), "records")


def record_hung(target: Path) -> None:
    """A cell whose client never comes back; see tests/stuck.py."""
    sys.path.insert(0, str(GOLDEN.parent))
    import stuck

    with tempfile.TemporaryDirectory() as folder:
        stuck.run_stuck(Path(folder), target)


def name(cell: dict[str, str]) -> str:
    if cell["workload"] in ("fresh", "measure"):
        return cell["workload"]
    return "{strategy}/{release}/{workload}".format(**cell)


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for code, (fires, quiet) in CASES.items():
        if len(sys.argv) == 1 or code in sys.argv[1:]:
            record(GOLDEN / f"{code}.fires.jsonl", *fires)
            record(GOLDEN / f"{code}.quiet.jsonl", *quiet)
    if len(sys.argv) == 1 or "worker-hung" in sys.argv[1:]:
        record_hung(GOLDEN / "worker-hung.fires.jsonl")
        record(GOLDEN / "worker-hung.quiet.jsonl", "fixed/close/steady", SMALL)
