"""Runs the seeded leaks and their twins (tests/leaks) N times in random order and counts wrong verdicts.

With --busy as many processes as there are cores do nothing but compute meanwhile; --write puts the texts of
the failures into tests/golden/leaks.txt. Exit 0: every leak found and no twin accused; 1: not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from flake import busy_cores, nothing

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from leaks import run  # noqa: E402 - after the path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=int)
    parser.add_argument("--busy", action="store_true", help="keep every core busy meanwhile")
    parser.add_argument("--write", action="store_true", help="write the texts of the failures")
    parser.add_argument("--seed", type=int, default=1, help="of the first run; each later one has the next")
    options = parser.parse_args()
    errors, verdicts, begun = 0, len(run.expected()), time.monotonic()
    with busy_cores() if options.busy else nothing(), tempfile.TemporaryDirectory() as folder:
        for number in range(options.seed, options.seed + options.runs):
            said, _ = run.run(Path(folder) / str(number), f"--randomly-seed={number}")
            wrong = run.wrong(said)
            errors += len(wrong)
            for one in wrong:
                print(f"seed {number}: {one}")
            print(f"up to seed {number}: {errors} wrong, {time.monotonic() - begun:.0f} s", flush=True)
    print(f"{options.runs * verdicts - errors} of {options.runs * verdicts} verdicts right")
    if options.write:
        (ROOT / "tests" / "golden" / "leaks.txt").write_text(run.texts(said))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
