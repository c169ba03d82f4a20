"""`scripts/bench repro`: the default run's wall time against `python -c "import openai"`, side by side.

Pairs are run one after the other, so that a machine that is slow for a while is slow for both.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

PAIRS = 5


def wall(*command: str) -> float:
    begun = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - begun


def main() -> None:
    base = [sys.executable, "-c", "import openai"]
    run = [sys.executable, "-m", "hermes_diag", "repro"]
    wall(*base), wall(*run)  # warm the file cache
    pairs = [(wall(*run), wall(*base)) for _ in range(PAIRS)]
    ratios = [ours / theirs for ours, theirs in pairs]
    for ours, theirs in pairs:
        print(f"repro {ours:5.2f} s   import openai {theirs:5.2f} s   ratio {ours / theirs:5.2f}")
    print(f"ratio: median {statistics.median(ratios):.2f}, max {max(ratios):.2f} (at most 10, aim 6)")


if __name__ == "__main__":
    main()
