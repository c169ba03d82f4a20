"""Whole commands timed in pairs: one after the other, so that a machine that is slow for a while is slow for both."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def against_import(limit: float, *arguments: str, pairs: int = 5) -> None:
    """Print the ratios of `hermes-diag ARGUMENTS` to `python -c "import openai"`, and whether the limit holds."""
    base = (sys.executable, "-c", "import openai")
    run = (sys.executable, "-m", "hermes_diag", *arguments)
    _wall(*base), _wall(*run)  # warm the file cache
    timed = [(_wall(*run), _wall(*base)) for _ in range(pairs)]
    for ours, theirs in timed:
        print(f"{arguments[0]} {ours:5.2f} s   import openai {theirs:5.2f} s   ratio {ours / theirs:5.2f}")
    ratios = [ours / theirs for ours, theirs in timed]
    median = statistics.median(ratios)
    told = "held" if median <= limit else "NOT HELD"
    print(f"ratio: median {median:.2f}, max {max(ratios):.2f} (at most {limit:g}): {told}")


def _wall(*command: str) -> float:
    begun = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - begun
