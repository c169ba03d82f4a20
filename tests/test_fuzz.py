"""Every reader stands what has once been its undoing, and a little of what may come; `scripts/fuzz` has more."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from fuzz import frame, mutate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

READERS = frame.names()


@pytest.mark.parametrize("name", READERS)
def test_what_was_found_before(name: str) -> None:
    """Each input of the corpus, and each that the others are made of, which is to be taken."""
    reader = frame.load(name)
    taken = [frame.put(reader, data) for data in reader.seeds()]
    assert any(taken), "none of its seeds is taken for what it should be"
    for path in frame.corpus(name):
        frame.put(reader, path.read_bytes())


@pytest.mark.parametrize("name", READERS)
def test_what_may_come(name: str) -> None:
    """The same inputs in every suite, so that a failure is one of the code; scripts/fuzz draws others."""
    reader = frame.load(name)
    seeds = reader.seeds()

    @settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False))
    def try_one(chance: random.Random) -> None:
        frame.put(reader, mutate.mutated(chance, seeds, most=1 << 18))

    try_one()


class _Bad:
    """A reader that does not stand its inputs."""

    @staticmethod
    def run(data: bytes) -> str:
        if data == b"slow":
            while True:
                sum(range(10_000))
        if data == b"large":
            return "x" * len(b"x" * (80 << 20))
        return {b"raises": lambda: str(1 // 0), b"shows": lambda: "a\x1b[31mb"}[data]()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"slow", "took more than 0.3 s"),
        (b"large", "took .* MB"),
        (b"raises", "ZeroDivisionError"),
        (b"shows", r"shows '\\x1b'"),
    ],
)
def test_the_frame_finds(monkeypatch: pytest.MonkeyPatch, data: bytes, says: str) -> None:
    """Too much work, too much memory, an exception that is not meant, an escape sequence."""
    monkeypatch.setattr(frame, "SECONDS", 0.3)
    with pytest.raises(frame.Found, match=says):
        frame.put(_Bad, data)  # type: ignore[arg-type]


# --- no reader without an entry ----------------------------------------------------------------------

#: Modules that read what we wrote ourselves, or what is no file and no stream of another's: why each has no entry.
OWN = {
    "hermes_diag.cli": "nowhere, in the place of a closed descriptor",
    "hermes_diag.cli.exporting": "a pipe of our own",
    "hermes_diag.cli.github": "a summary that is appended to",
    "hermes_diag.cli.keyboard": "a key that is pressed",
    "hermes_diag.core.pipes": "nowhere, in the place of a closed pipe",
    "hermes_diag.leakguard.around": "a descriptor that is kept free",
    "hermes_diag.leakguard.backends.proc": "of our own process",
    "hermes_diag.leakguard.boxes": "/proc, a name at a time",
    "hermes_diag.leakguard.attach.arm": "our own source",
    "hermes_diag.leakguard.attach.bundle": "our own source",
    "hermes_diag.leakguard.attach.rights": "/proc, a name at a time",
    "hermes_diag.core.leaves": "our own source",
    "hermes_diag.core.errors": "/proc, one number",
    "hermes_diag.core.learnt": "a text in which names are looked for, line by line",
    "hermes_diag.core.new_file": "a copy, byte by byte",
    "hermes_diag.core.reading": "the one way to read",
    "hermes_diag.core.scratch": "/proc, one number",
    "hermes_diag.provider.answers.endings": "our own answers",
    "hermes_diag.provider.answers.replies": "our own answers",
    "hermes_diag.provider.answers.store": "our own answers",
    "hermes_diag.provider.answers.apis.messages": "our own answers",
    "hermes_diag.provider.routing.control": "a typed body of at most 64 MiB",
    "hermes_diag.reporters.page.write": "our own source",
    "hermes_diag.run.asked": "a pipe, of which so many bytes are read; what they say, others read",
    "hermes_diag.run.endpoint": "our own payload",
    "hermes_diag.run.environments.cache": "names of files, looked for and not shown",
    "hermes_diag.run.environments.base": "an interpreter that the user names",
    "hermes_diag.run.environments.checkout": "TOML, see core/toml.py",
    "hermes_diag.run.environments.sources": "files that are copied, not understood",
    "hermes_diag.run.thread_lane": "our own payload",
    "hermes_diag.watch.ports": "two numbers of the kernel",
    "hermes_diag.watch.process": "/proc, see watch/proc.py",
    "hermes_diag.watch.readers": "/proc, see watch/proc.py",
    "hermes_diag.watch.stacks": "py-spy, typed as it is read",
}
#: What reads: (object, method), or a function by its name alone.
READS = {
    ("json", "loads"), ("json", "load"), ("msgspec.json", "decode"), ("msgspec.json", "Decoder"),
    ("msgspec", "convert"), ("toml", "loads"), ("tomllib", "loads"), ("reading", "whole"), ("reading", "pieces"),
    ("os", "read"), ("os", "open"),
}  # fmt: skip
METHODS = {"read_text", "read_bytes"}
#: They run inside of other programs.
ELSEWHERE = ("worker", "recorder", "inside")


def _reads(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute):
            owner, name = ast.unparse(node.func.value), node.func.attr
            if (owner, name) in READS or name in METHODS:
                yield f"{owner}.{name}"
        elif isinstance(node.func, ast.Name) and node.func.id == "open" and not _writes(node):
            yield "open"


def _writes(call: ast.Call) -> bool:
    mode = next((one.value for one in call.keywords if one.arg == "mode"), call.args[1] if len(call.args) > 1 else None)
    return isinstance(mode, ast.Constant) and str(mode.value)[:1] in ("w", "a", "x")


def _modules() -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / "hermes_diag").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if not set(parts) & set(ELSEWHERE):
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def test_every_reader_has_an_entry() -> None:
    """Whatever reads a file, a stream or JSON is named by an entry of tests/fuzz/readers, or said to be ours."""
    entries = {module for name in READERS for module in frame.load(name).READS}
    known = dict(_modules())
    found = {name: sorted(set(_reads(ast.parse(path.read_text())))) for name, path in known.items()}
    reading = {name: calls for name, calls in found.items() if calls}
    assert {name: calls for name, calls in reading.items() if name not in entries and name not in OWN} == {}
    assert OWN.keys() - reading.keys() == set(), "these read nothing any more"
    assert entries - known.keys() == set(), "there are no such modules"


def test_one_way_to_read() -> None:
    """Files that others wrote are opened by core/reading.py alone, which bounds them."""
    allowed = {*OWN, "hermes_diag.hermes.home", "hermes_diag.hermes.logs.files", "hermes_diag.leakguard.attach.ask"}
    allowed |= {"hermes_diag.leakguard.box", "hermes_diag.provider.plans.plan"}  # by itself; files of our own
    allowed |= {"hermes_diag.watch.tables.proc_net", "hermes_diag.watch.proc"}
    opened = {}
    for name, path in _modules():
        calls = [
            call
            for call in _reads(ast.parse(path.read_text()))
            if call in ("open", "os.open") or call[-5:] in ("_text", "bytes")
        ]
        if calls and name not in allowed:
            opened[name] = calls
    assert opened == {}
