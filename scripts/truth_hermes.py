"""`scripts/truth hermes`: releases of the real Hermes Agent again and again, beside what is known of them.

Each run counts at every barrier what `ss`, /proc and the provider say, too (tests/hermes_counted.py). Printed is how
many runs of each release were as known, and how many sockets its interrupted turns left, which is a race in some
releases. Exit 1 when one run was not as known.

    ./scripts/truth hermes --runs 10 ~/hermes-0.13.0/bin/python ~/hermes-0.19.0/bin/python
    ./scripts/truth hermes --runs 10 --busy 2 ~/hermes-0.19.0/bin/python
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from hermes_counted import CELLS, as_known, counted
from truth_recycled import busy


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pythons", nargs="+", metavar="PYTHON", help="an interpreter that has a release")
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="of each release (default 10)")
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="busy loops beside")
    options = parser.parse_args()
    with busy(options.busy):
        return max([tried(python, options.runs) for python in options.pythons])


def tried(python: str, runs: int) -> int:
    """Run one release, and print what was found; the exit code."""
    right, interrupted, release = 0, Counter[int](), "?"
    for _ in range(runs):
        found = counted(python, CELLS)
        report, evidence = found["hermes/interrupted"]
        release = evidence.stack.hermes if evidence.stack else release
        interrupted[report.left.established or 0 if report.left else 0] += 1
        try:
            as_known(release, found)
            right += 1
        except AssertionError:
            print(f"{release}: not as known:", traceback.format_exc(limit=-1), flush=True)
    left = ", ".join(f"{sockets} in {times}" for sockets, times in sorted(interrupted.items()))
    print(f"{release}: {right} of {runs} runs as known; sockets left by 8 interrupted turns: {left}", flush=True)
    return 0 if right == runs else 1


if __name__ == "__main__":
    sys.exit(main())
