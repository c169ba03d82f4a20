"""Record tests/golden/reports/*.jsonl.gz anew: captures of whole commands; the suite compares their whole reports.

Run by hand after a change of the capture's schema: .venv/bin/python scripts/golden_reports.py [NAME...]
HERMES_DIAG_GOLDEN=write .venv/bin/pytest tests/test_whole_reports.py then writes what each report says.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "tests" / "golden" / "reports"
FACTORIES, TURNS = "tests/factories.py", "tests/turns.py"
SMALL = ["--sessions", "2", "--turns", "4"]
EXPECT = ["timeout=9s", "limits=7/3", "keepalive=60/10/3", "proxy=own", "retries=2", "separate", "sdk-defaults"]
EXPECTED = [word for one in EXPECT for word in ("--expect", one)]
LEAKY = ["check", f"{FACTORIES}:never_closes"]

#: What `audit` is asked to try, beside each factory by its name.
AUDITED = (
    "right", "right_async", "right_injected", "RightPool", "AsyncPool", "Subclass", "adds_to_headers", "ReusesClosed",
    "closes_others", "small_mount", "loses_keepalive", "delays", "ignores_proxy", "retries_anyway", "never_closes",
    "leaves_threads", "closes_once", "remembers", "trusts_anyone", "asks_less_on_the_wire", "shares_transport",
    "hides_a_pool", "impatient", "small_pool", "ignores_no_proxy", "ignores_ca_file", "hands_out_closed", "mutates",
    "raises", "nothing", "leaves_at_once", "imports", "calls_home", "instance", "impatient_async_instance",
    "closes_once_async", "number",
)  # fmt: skip
#: Pools and cached clients of tests/turns.py.
POOLS = (
    "LosesPlaces", "OneAtATime", "BySession", "FillsUp", "NeverFull", "cached", "proxied", "own_headers", "far_away",
)  # fmt: skip
COMMANDS: dict[str, list[str]] = {
    **{f"audit-{name}": ["audit", f"{FACTORIES}:{name}"] for name in AUDITED},
    **{f"audit-{name}": ["audit", f"{TURNS}:{name}"] for name in POOLS},
    "audit-hangs": ["audit", f"{FACTORIES}:hangs", "--patience", "1s"],
    **{
        f"expect-{name}": ["audit", f"{FACTORIES}:{name}", *EXPECTED]
        for name in ("right", "impatient", "small_pool", "shares_transport", "loses_keepalive", "ignores_proxy")
    },
    "scenarios-all": ["scenarios"],
    "check-fixed": ["check"],
    "check-buggy": ["check", "buggy"],
    "check-never-closes": [*LEAKY, "--fail-on", "close_wait_left > 0"],
    "check-fault": ["check", f"{FACTORIES}:RightPool", "--fault", "rst-mid-stream", "--fault", "http-500"],
    "check-turn": ["check", f"{TURNS}:drops", "--fail-on", "established_left > 0", "--fail-on", "close_wait_peak >= 1"],
    "check-allowed": ["check", f"{FACTORIES}:small_pool", "--expect", "sdk-defaults",
                      "--allow", "default-limits:2099-01-31:ten are plenty"],
    "check-down": ["check", f"{FACTORIES}:raises"],
    "check-hangs": ["check", f"{FACTORIES}:hangs", "--patience", "1s"],
    "check-first-turn": ["check", f"{FACTORIES}:patches"],
    "check-chooses": ["check", f"{FACTORIES}:small_pool", "--api", "chat", "--fail-on", "close_wait_left > 9"],
    "check-one-workload": ["check", f"{FACTORIES}:AsyncPool", "--workload", "steady",
                           "--fault", "stall-before-headers"],
    "check-turn-raises": ["check", f"{TURNS}:raises"],
    "baseline-same": [*LEAKY, "--baseline", "check-never-closes"],
    "baseline-of-others": [*LEAKY, "--baseline", "check-buggy"],
    "baseline-of-more": ["check", "buggy", "--workload", "steady", "--baseline", "check-buggy"],
    "baseline-of-fewer": ["check", "buggy", "--baseline", "baseline-of-more"],
    "baseline-of-replay": [*LEAKY, "--baseline", "replay-never-closes"],
    "replay-never-closes": ["replay", f"{FACTORIES}:never_closes", "--workload", "steady", *SMALL],
    "repro-faults": ["repro", "--workload", "steady", *SMALL, "--fault", "http-500", "--fault", "idle-reset"],
    "repro-dump": ["repro", "DUMP", "--workload", "steady", "--end", "close", *SMALL],
    "repro-dump-status": ["repro", "DUMP-503", "--workload", "steady", "--end", "close", "--fault", "http-503", *SMALL],
    "repro-dumps": ["repro", "DUMP-503", "DUMP-NOTHING", "--workload", "steady", "--end", "close", *SMALL],
    "repro-interrupted": ["repro", "--workload", "interrupted", "--workload", "overlapping", *SMALL],
    "replay-limited": ["replay", f"{TURNS}:multiplies", "--turns", "4",
                       "--fault", "rate-limit=120:burst=1:retry_after=ms"],
    "replay-proxy": ["replay", f"{TURNS}:past_the_proxy", "--turns", "4", "--set", "proxy=on"],
}  # fmt: skip


def record(name: str) -> str:
    """Run the command for real; its capture, anonymised, is kept. What to say of it."""
    with tempfile.TemporaryDirectory() as folder:
        capture = run(name, Path(folder))
        hermes_diag("report", str(capture), "--anonymise", "--output", str(FOLDER / capture.name))
    return f"{name}: {(FOLDER / f'{name}.jsonl.gz').stat().st_size} bytes"


def run(name: str, folder: Path) -> Path:
    """The capture of a command, made behind that of its baseline."""
    arguments = [_dump(word, folder) if word.startswith("DUMP") else word for word in COMMANDS[name]]
    if "--baseline" in arguments:
        arguments[-1] = str(run(arguments[-1], folder))
    capture = folder / f"{name}.jsonl.gz"
    hermes_diag(*arguments, "--save", str(capture))
    return capture


def _dump(name: str, folder: Path) -> str:
    """A request dump as Hermes writes it."""
    errors = {
        "DUMP": {"type": "APIConnectionError", "message": "Connection error."},
        "DUMP-503": {"type": "InternalServerError", "status_code": 503, "message": "upstream is away"},
    }
    path = folder / f"{name.lower()}.json"
    request = {"method": "POST", "body": {"model": "gpt-5", "input": "hi"}}
    document = {"timestamp": "2026-11-01T08:00:12", "reason": "max_retries_exhausted", "request": request}
    path.write_text(json.dumps(document | ({"error": errors[name]} if name in errors else {})))
    return str(path)


def hermes_diag(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hermes_diag", *arguments], cwd=ROOT, check=False, capture_output=True, text=True
    )
    if done.returncode not in (0, 1, 3):
        raise RuntimeError(f"{arguments}: exit code {done.returncode}\n{done.stderr}")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        for said in pool.map(record, sys.argv[1:] or COMMANDS):
            print(said, flush=True)
