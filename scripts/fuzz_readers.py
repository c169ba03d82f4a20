"""Puts readers through inputs: `scripts/fuzz READER|all|list [--seconds N | --inputs N] [--seed N]`.

Each reader has so many seconds: half of them for inputs made of seeds where these have their joints (tests/fuzz/
mutate.py), half for atheris, which is led by the branches that an input has reached; without it all are the former.
What a reader does not stand is made smaller and kept in tests/fuzz/corpus/READER, where every suite puts it through
again. Exit code 0: every input was stood; 1: one was not.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import NoReturn

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
# A reader that eats memory is to be told so, and not the machine with it.
LIMIT = 4 << 30


def main() -> int:
    parser = argparse.ArgumentParser(description="Put readers of what others wrote through whatever may come.")
    parser.add_argument("reader", help="its name, `all`, or `list`")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each reader (default: 60)")
    parser.add_argument("--inputs", type=int, help="instead of --seconds: so many for each reader, made of seeds")
    parser.add_argument("--seed", type=int, default=None, help="of chance (default: another one each time)")
    parser.add_argument("--guided", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.guided:
        guided(asked.reader, asked.seconds, asked.seed)
    from fuzz import frame

    if asked.reader == "list":
        for name in frame.names():
            print(f"{name:16} {(frame.load(name).__doc__ or '').partition(chr(10))[0]}")
        return 0
    chosen = frame.names() if asked.reader == "all" else [asked.reader]
    if unknown := set(chosen) - set(frame.names()):
        parser.error(f"there is no reader {', '.join(unknown)}; scripts/fuzz list shows all")
    seed = random.randrange(2**32) if asked.seed is None else asked.seed
    return max(fuzzed(name, asked.seconds, asked.inputs, seed) for name in chosen)


def fuzzed(name: str, seconds: float, inputs: int | None, seed: int) -> int:
    """One reader; 1 where it did not stand an input. inputs: so many, without atheris, however long that takes."""
    from fuzz import frame

    reader = frame.load(name)
    has_atheris = inputs is None and importlib.util.find_spec("atheris") is not None
    limited()
    count, taken, found = by_joints(reader, name, seconds / (2 if has_atheris else 1), inputs, seed)
    print(f"{name:16} {count:>9,} inputs, {taken:,} taken, {found} found (seed {seed})", flush=True)
    if not has_atheris:
        return int(found > 0)
    command = [sys.executable, __file__, name, "--guided", "--seconds", str(seconds / 2), "--seed", str(seed)]
    return max(
        int(found > 0), min(1, subprocess.run(command, cwd=ROOT, stderr=subprocess.DEVNULL, check=False).returncode)
    )


def by_joints(reader: ModuleType, name: str, seconds: float, inputs: int | None, seed: int) -> tuple[int, int, int]:
    """(inputs, those that were taken for what they should be, those that were not stood)."""
    from fuzz import frame, mutate

    chance, seeds = random.Random(seed), reader.seeds()
    until = time.monotonic() + seconds
    count = taken = 0
    places: set[str] = set()
    for data in [*seeds, *(path.read_bytes() for path in frame.corpus(name))]:
        taken += tried(reader, name, data, places)
        count += 1
    while time.monotonic() < until if inputs is None else count < inputs:
        taken += tried(reader, name, mutate.mutated(chance, seeds), places)
        count += 1
    return count, taken, len(places)


def tried(reader: ModuleType, name: str, data: bytes, places: set[str]) -> bool:
    """Put one input through; the first of each place that is not stood is kept."""
    from fuzz import frame

    try:
        return frame.put(reader, data)
    except frame.Found as exc:
        what = str(exc).partition(":")[0] if " at " in str(exc) else str(exc)[:12]
        if what not in places:
            places.add(what)
            print(f"{name}: {exc}\n  kept as {kept(reader, name, data, what)}", flush=True)
        return False


def kept(reader: ModuleType, name: str, data: bytes, what: str) -> Path:
    """The input in the corpus, smaller if it can be."""
    from fuzz import frame

    data = smaller(reader, data, what)
    folder = frame.CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / frame.name_of(data)
    path.write_bytes(data)
    return path.relative_to(ROOT)


def smaller(reader: ModuleType, data: bytes, what: str, seconds: float = 20.0) -> bytes:
    """The same find with lines, then bytes, left out."""
    until = time.monotonic() + seconds
    for joint in (b"\n", b""):
        parts = data.split(joint) if joint else [data[at : at + 1] for at in range(len(data))]
        size = max(1, len(parts) // 2)
        while size and time.monotonic() < until:
            at, less = 0, False
            while at < len(parts) and time.monotonic() < until:
                fewer = parts[:at] + parts[at + size :]
                if same(reader, joint.join(fewer), what):
                    parts, less = fewer, True
                else:
                    at += size
            size = size if less and size > 1 else size // 2
        data = joint.join(parts)
    return data


def same(reader: ModuleType, data: bytes, what: str) -> bool:
    from fuzz import frame

    try:
        frame.put(reader, data)
    except frame.Found as exc:
        return str(exc).startswith(what)
    return False


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))


# --- led by coverage -----------------------------------------------------------------------------------


def guided(name: str, seconds: float, seed: int) -> NoReturn:
    """atheris, whose own changes and ours take turns. It leaves without coming back."""
    import atheris

    with atheris.instrument_imports(include=["hermes_diag"]):
        from fuzz import frame, mutate

        reader = frame.load(name)
        for data in reader.seeds():  # what is imported only when it is needed is led by, too
            with contextlib.suppress(frame.Found):
                frame.put(reader, data)
    seeds = reader.seeds()
    count, places, until = 0, set[str](), time.monotonic() + seconds

    def one(data: bytes) -> None:
        nonlocal count
        count += 1
        tried(reader, name, data, places)
        if time.monotonic() > until:  # libFuzzer would leave without a word
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # something has been found
                (frame.CORPUS / name).rmdir()
            print(f"{name:16} {count:>9,} inputs led by coverage, {len(places)} found", flush=True)
            os._exit(1 if places else 0)

    def other(data: bytes, most: int, number: int) -> bytes:
        chance = random.Random(number)
        made = atheris.Mutate(data, len(data) or 1) if chance.random() < 0.3 else mutate.changed(chance, data, seeds)
        return made[:most]

    folder = tempfile.mkdtemp(prefix="hermes-diag-fuzz-")
    for data in seeds:
        (Path(folder) / frame.name_of(data)).write_bytes(data)
    # What no line of Python can end, such as a regular expression, libFuzzer ends; it keeps the input.
    (frame.CORPUS / name).mkdir(parents=True, exist_ok=True)
    options = [f"-seed={seed % 2**31}", "-max_len=300000", "-verbosity=0", "-detect_leaks=0", "-timeout=20"]
    options += [f"-artifact_prefix={frame.CORPUS / name}/", "-report_slow_units=3600"]
    atheris.Setup([sys.argv[0], *options, folder], one, custom_mutator=other)
    atheris.Fuzz()
    raise AssertionError


if __name__ == "__main__":
    sys.exit(main())
