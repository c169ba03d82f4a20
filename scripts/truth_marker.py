"""`scripts/truth marker [SUITE]...`: the marker on every test of suites that nobody here wrote (truth_marker.toml).

Each suite comes from a source distribution, in an environment of its own, and runs three times: without the marker,
with it, without it again. Printed are the tests, the outcomes that the marker has changed, what it accuses with the
line that opened it, and the processor time with it against that without. A test whose outcome is not the same in both
runs without the marker says nothing. Exit 1: an outcome has changed that is no known leak, a known leak was not
found, or it was more than 5 % slower. Options: --folder DIR keeps sources and environments there; --any-speed judges
outcomes only, as CI does: time is for a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SLOWER = 1.05
LIMIT = 1500  # seconds for one run of a suite
PIP = ["-m", "pip", "--quiet", "--disable-pip-version-check"]
#: Test -> what became of it, but for what has passed.
Said = dict[str, tuple[str, ...]]


def main() -> int:
    suites = tomllib.loads((HERE / "truth_marker.toml").read_text())
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(suites))
    parser.add_argument("--folder", type=Path, help="keep sources and environments there")
    parser.add_argument("--any-speed", action="store_true", help="judge outcomes only")
    options = parser.parse_args()
    if unknown := set(options.suites) - suites.keys():
        parser.error(f"no suite {', '.join(sorted(unknown))}; known: {', '.join(suites)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        return max(
            [tried(name, suites[name], folder.absolute(), options.any_speed) for name in options.suites or suites]
        )


def tried(name: str, suite: dict[str, Any], folder: Path, any_speed: bool) -> int:
    """Run one suite and print what was seen; the exit code."""
    source, python = prepared(name, suite, folder)
    try:
        runs = [ran(which, suite, source, python, folder) for which in ("off", "all", "off")]
    except (RuntimeError, subprocess.TimeoutExpired) as exc:
        print(f"{name} {suite['version']}: could not be run: {exc}")
        return 3
    (without, _, first), (with_it, texts, cpu), (again, _, second) = runs
    steady = {test for test, outcome in without.items() if again.get(test) == outcome}
    changed = sorted(test for test in steady if with_it.get(test) != without[test])
    leaks = suite.get("leaks", {})
    slower = cpu / ((first + second) / 2)
    print(f"{name} {suite['version']}: {len(without)} tests, {len(without) - len(steady)} of them not steady")
    print(f"  slower by {100 * (slower - 1):+.1f} % ({first:.1f} s and {second:.1f} s without, {cpu:.1f} s with)")
    other = [test for test in changed if test not in texts]
    for test in other:
        print(f"  CHANGED for another reason: {test}: {without[test]} -> {with_it.get(test)}")
    unknown = 0
    for test, text in sorted(texts.items()):
        known = next((why for line, why in leaks.items() if line in text), "")
        unknown += not known
        print(f"  {'leak' if known else 'NOT JUDGED'}: {test}{': ' + known if known else ''}")
        print("".join(f"      {line}\n" for line in text.splitlines()), end="")
    missed = [line for line in leaks if not any(line in text for text in texts.values())]
    for line in missed:
        print(f"  NOT FOUND: {line.removesuffix(' in')}: {leaks[line]}")
    print(f"  {len(texts)} accused, {unknown} of them not judged; {len(other)} changed for another reason", flush=True)
    return 1 if other or unknown or missed or (slower > SLOWER and not any_speed) else 0


def prepared(name: str, suite: dict[str, Any], folder: Path) -> tuple[Path, Path]:
    """The source and a Python with what its tests need, made unless they are there."""
    source, home = folder / f"{name}-{suite['version']}", folder / f"env-{name}"
    if not source.exists():
        wanted = ["--no-deps", "--no-binary", name, "-d", str(folder), f"{name}=={suite['version']}"]
        subprocess.run([sys.executable, *PIP, "download", *wanted], check=True)
        with tarfile.open(next(folder.glob(f"{name}-{suite['version']}*.tar.gz"))) as archive:
            safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11.2 has none
            archive.extractall(folder, **safely)  # nosec B202
    python = home / "bin" / "python"
    if not (home / "made").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        pinned = [f"{name}=={suite['version']}", *suite["needs"]]
        subprocess.run([str(python), *PIP, "install", *pinned], check=True)
        subprocess.run([str(python), *PIP, "install", "-e", str(HERE.parent)], check=True)
        (home / "made").touch()
    return source, python


def ran(
    which: str,
    suite: dict[str, Any],
    source: Path,
    python: Path,
    folder: Path,
    more: dict[str, str] | None = None,
) -> tuple[Said, dict[str, str], float]:
    """(what became of each test, what the marker says of those it accuses, seconds of processor time)

    more: variables of the environment."""
    record = folder / f"record-{time.time_ns()}"
    options = [f"--limit-sockets={which}", "-q", "-p", "truth_record", "-p", "no:cacheprovider", "-p", "no:randomly"]
    own = {"TRUTH_RECORD": str(record), "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
    before = spent()
    done = subprocess.run(
        [str(python), "-m", "pytest", *options, *suite["run"]],
        cwd=source,
        env={
            **{name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_ADDOPTS")},
            **own,
            **(more or {}),
        },
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=LIMIT,
        check=False,
    )
    took = spent() - before
    if not record.exists():
        raise RuntimeError(f"no test ran:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    record.unlink()
    said: Said = {}
    for line in lines:
        # A pass, and an expected failure that did not come, are known at another time with the marker.
        failed = f"{line['when']} failed" if line["outcome"] == "failed" else line["outcome"]
        said[line["test"]] = tuple(sorted({*said.get(line["test"], ()), failed} - {"passed"}))
    return said, {line["test"]: plain(line["left"]) for line in lines if line["left"]}, took


def spent() -> float:
    """Processor seconds of children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def plain(text: str) -> str:
    """Without what differs from run to run."""
    return re.sub(r", [\d.]+ s( to [\d.]+ s)? old|, fd \d+", "", text)


if __name__ == "__main__":
    sys.exit(main())
