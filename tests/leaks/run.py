"""Runs the seeded leaks and their twins once, in a process of its own, and says what was judged wrongly."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

HERE = Path(__file__).parent
FILE = HERE / "seeded.py"


#: Leaks that the portable backend finds without that line: they show in a thread, a child or a duplicate only.
WITHOUT_LINE = ("test_thread_reads_leak", "test_child_holds_it_leak", "test_duplicated_descriptor_leak")


def expected() -> dict[str, str]:
    """Test -> the line that its failure must name (`seeded.py:41`), empty for a healthy twin."""
    source = FILE.read_text()
    marked = [number for number, line in enumerate(source.splitlines(), 1) if line.endswith("# opened")]
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    line_of = {node.name: number for node in functions for number in marked if node.lineno <= number <= node.end_lineno}
    #: Opened by what the test calls or asks for.
    elsewhere = {"module_global": "get", "generator_holds_stream": "events", "fixture": "careless"}
    found = {}
    for node in functions:
        if node.name.startswith("test_"):
            opens = elsewhere.get(node.name.removeprefix("test_").removesuffix("_leak"), node.name)
            found[node.name] = f"{FILE.name}:{line_of[opens]} in" if node.name.endswith("_leak") else ""
    return found


Said = dict[str, dict[str, str]]


def run(record: Path, *arguments: str, backend: str = "") -> tuple[Said, str]:
    """(what each test came to: verdict and text, the output of pytest). record: a file that does not exist.

    backend: "portable" forces it.
    """
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
    own = {"LEAKS_RECORD": str(record), "LEAKS_BACKEND": backend}
    own |= {"PYTHONPATH": path, "PYTEST_ADDOPTS": "", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "harness", *arguments],
        cwd=HERE,
        env={**{k: v for k, v in os.environ.items() if k not in ("CI", "BUILD_NUMBER")}, **own},
        capture_output=True,
        text=True,
        check=False,
    )
    said = {line["test"]: line for line in map(json.loads, record.read_text().splitlines())} if record.exists() else {}
    return said, done.stdout + done.stderr


def wrong(said: Said, without_line: Collection[str] = ()) -> list[str]:
    """What was judged wrongly, one text each. without_line: leaks that need not be named by their line."""
    found = []
    for test, line in expected().items():
        verdict = said[test]["verdict"] if test in said else "not run"
        text = said[test]["text"] if test in said else ""
        if verdict != ("failed" if line else "passed"):
            found.append(f"{test}: {verdict}\n{text}")
        elif line and line not in text and test not in without_line:
            found.append(f"{test}: {line} is not named\n{text}")
    return found


def texts(said: Said) -> str:
    """All failure texts in the order of the file, without what differs from run to run."""
    return "\n\n".join(f"--- {test}\n{plain(said[test]['text'])}" for test, line in expected().items() if line) + "\n"


def plain(text: str) -> str:
    """Ports, ages, descriptors, processes, and lines of libraries taken out."""
    for pattern, name in (
        (r"(127\.0\.0\.1|\[::1\]):\d+", r"\1:PORT"),
        (r"[\d.]+ s( to [\d.]+ s)? old", "AGE old"),
        (r"\bfd \d+", "fd N"),
        (r"child process \d+ \([^)]*\)", "child process PID (NAME)"),
        (r"pipe:\[\d+\]", "pipe:[N]"),
        (r"(urllib3/\S+):\d+", r"\1:N"),
        (r"Executor-\d+|(?<=Thread-)\d+|(?<=asyncio_)\d+", lambda found: found[0].rstrip("0123456789") + "N"),
    ):
        text = re.sub(pattern, name, text)
    return text


def open_either_way(text: str) -> str:
    """The server may close a connection at any time, and the collector may run at any time: a connection that one of
    them has closed reads like one that is open."""
    text = re.sub(
        r"socket to (\S+), closed by the garbage collector, AGE old",
        r"ESTABLISHED to \1 (still connected), AGE old, fd N",
        text,
    )
    text = text.replace("in CLOSE_WAIT (allowed: close_wait=0)", "open (allowed: leaked=0)")
    closed = "CLOSE_WAIT to 127.0.0.1:PORT (the other side has closed it, nobody here has)"
    return text.replace(closed, "ESTABLISHED to 127.0.0.1:PORT (still connected)")
