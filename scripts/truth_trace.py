"""`scripts/truth trace [SUITE]...`: suites that nobody here wrote, with and without the recorder of `trace`.

The suites are those of truth_marker.toml, each in an environment of its own. It runs without the recorder, with it, and
without it again; a test whose outcome is not the same in both runs without it says nothing. Exit 1: a test has another
outcome with the recorder, or a recorder ended early. --folder DIR keeps sources and environments there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import tomllib
from pathlib import Path

import truth_marker

from hermes_diag.core.errors import HermesDiagError
from hermes_diag.leakguard import traced
from hermes_diag.leakguard.box import Box


def main() -> int:
    suites = tomllib.loads((truth_marker.HERE / "truth_marker.toml").read_text())
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(suites))
    parser.add_argument("--folder", type=Path, help="keep sources and environments there")
    options = parser.parse_args()
    if unknown := set(options.suites) - suites.keys():
        parser.error(f"no suite {', '.join(sorted(unknown))}; known: {', '.join(suites)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        changed = [tried(name, suites[name], folder) for name in options.suites or suites]
    return 1 if any(changed) else 0


def tried(name: str, suite: dict[str, object], folder: Path) -> int:
    """Run one suite and print what was seen; how many tests have changed."""
    source, python = truth_marker.prepared(name, suite, folder)
    with tempfile.TemporaryDirectory(dir=folder) as boxes:
        recorder = traced.environment(Path(boxes), paths=False)
        more = {key: recorder[key] for key in ("HERMES_DIAG_BOXES", "HERMES_DIAG_KEEP")}
        more["PYTHONPATH"] = f"{traced.RECORDER}:{truth_marker.HERE}"
        runs = [truth_marker.ran("off", suite, source, python, folder, environment) for environment in ({}, more, {})]
        seen, broken = 0, 0
        for path in Path(boxes).glob("*.box"):
            try:
                broken += Box(path).broken
                seen += 1
            except HermesDiagError as exc:  # a process was killed while it made it
                print(f"  {exc.message}")
    (without, _, first), (with_it, _, cpu), (again, _, second) = runs
    steady = {test for test, outcome in without.items() if again.get(test) == outcome}
    changed = sorted(test for test in steady if with_it.get(test) != without[test])
    slower = cpu / ((first + second) / 2)
    print(f"{name} {suite['version']}: {len(without)} tests, {len(without) - len(steady)} of them not steady")
    for test in changed:
        print(f"  CHANGED: {test}: {without[test]} -> {with_it.get(test)}")
    print(f"  {len(changed)} changed; {seen} recorders, of which {broken} ended early", flush=True)
    print(f"  {slower:.2f} times the processor time", flush=True)
    return len(changed) + broken


if __name__ == "__main__":
    sys.exit(main())
