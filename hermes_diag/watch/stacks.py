"""At which lines threads stand, as py-spy tells it where it is installed (the extra `stacks`).

py-spy reads the memory of the process. With --nonblocking it does not stop it, so that a stack that changes while it
is read may come out wrong; that of a thread that waits does not change. Only names of files and functions and numbers
of lines are taken of what it prints: no value of a variable.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hermes_diag.core import redact
from hermes_diag.core.text import one_line
from hermes_diag.watch import process
from hermes_diag.watch.records import Missing, Reader

#: Seconds that py-spy may take for one process.
_PATIENCE = 5.0
WHAT = "the lines at which they stand"
_INSTALLED = ("/site-packages/", "/dist-packages/")
#: What stands between a program and its sockets. A program may itself be installed, as Hermes is by pip.
_PLUMBING = ("aiohttp", "anyio", "h11", "h2", "httpcore", "httpcore2", "httpx", "httpx2", "openai", "requests",
             "sniffio", "tenacity", "urllib3")  # fmt: skip
#: The folder of our own package: its worker stands between a client and its sockets, too.
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def joined(readers: Sequence[Reader]) -> tuple[list[Reader], list[Missing]]:
    """The readers with their names in Python and their lines, and what could not be seen of them."""
    spy = _py_spy()
    if spy is None:
        cure = "pip install py-spy, beside hermes-diag or on the PATH"
        return list(readers), [Missing(f"{WHAT}, and their names in Python", "py-spy is not installed", cure)]
    missing: list[Missing] = []
    known: dict[tuple[int, int], dict[str, Any]] = {}
    for pid in dict.fromkeys(one.pid for one in readers):
        told = _ask(spy, pid)
        if isinstance(told, Missing):
            missing.append(told)
        else:
            known |= {(pid, thread["os_thread_id"]): thread for thread in told}
    return [_with_lines(one, known.get((one.pid, one.tid))) for one in readers], missing


def _py_spy() -> str | None:
    """Beside our interpreter, or on the PATH."""
    return shutil.which("py-spy", path=os.path.dirname(sys.executable)) or shutil.which("py-spy")


def _ask(spy: str, pid: int) -> list[dict[str, Any]] | Missing:
    """The threads of a process that have a number of the system's."""
    what = f"{WHAT} (process {pid})"
    command = [spy, "dump", "--json", "--nonblocking", "--pid", str(pid)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return Missing(
            what, f"py-spy did not answer within {_PATIENCE:g} s", "look again when the machine is less busy"
        )
    except OSError as exc:
        return Missing(what, f"py-spy cannot be run: {exc.strerror}", "install it again: pip install py-spy")
    by_hand = f"py-spy dump --nonblocking --pid {pid} says more"
    if b"ermission" in done.stderr:
        return Missing(what, "py-spy may not read its memory", process.more_rights())
    try:
        threads = json.loads(done.stdout) if done.returncode == 0 else None
        numbered = [one for one in threads if one["os_thread_id"] is not None and _is_told(one)] if threads else []
    except (ValueError, KeyError, TypeError, RecursionError):
        threads, numbered = None, []
    if threads is None:
        why = "py-spy cannot read it: it runs no Python, or one that this py-spy does not know"
        return Missing(what, why, f"pip install --upgrade py-spy; {by_hand}")
    if not numbered:
        return Missing(what, "its Python is older than 3.11 and does not tell which thread is which", by_hand)
    return numbered


def _is_told(thread: Any) -> bool:
    """Whether a thread and its frames are objects, as py-spy writes them."""
    frames = thread.get("frames") or [] if isinstance(thread, dict) else None
    return isinstance(frames, list) and all(isinstance(frame, dict) for frame in frames)


def _with_lines(reader: Reader, thread: dict[str, Any] | None) -> Reader:
    if thread is None:  # no thread of Python's
        return reader
    frames = [frame for frame in thread.get("frames") or [] if frame.get("line")]  # py-spy shows some that are none
    library = next((frame for frame in frames if not _is_python(frame)), None) or next(iter(frames), None)
    own = [frame for frame in frames if not _is_python(frame) and not _is_plumbing(frame)]
    called = next((frame for frame in own if not _is_installed(frame)), None) or next(iter(own), None)
    lines = tuple(dict.fromkeys(_line(frame) for frame in (library, called) if frame))
    return replace(reader, thread=redact.name(str(thread.get("thread_name") or "")) or reader.thread, lines=lines)


def _file(frame: dict[str, Any]) -> str:
    return str(frame.get("filename") or "")


def _is_installed(frame: dict[str, Any]) -> bool:
    return any(mark in _file(frame) for mark in _INSTALLED)


def _is_python(frame: dict[str, Any]) -> bool:
    """Whether it is a file of Python itself, such as ssl.py and threading.py, or no file."""
    file = _file(frame)
    return file.startswith("<") or ("/lib/python3" in file and not _is_installed(frame))


def _is_plumbing(frame: dict[str, Any]) -> bool:
    file = _file(frame)
    packages = (file.rpartition(mark)[2].split("/")[0] for mark in _INSTALLED)
    return file.startswith(_OURS) or any(package in _PLUMBING for package in packages)


def _line(frame: dict[str, Any]) -> str:
    """File, line and function, without the folders of the user."""
    file = str(frame.get("short_filename") or os.path.basename(_file(frame)))
    return one_line(f"{redact.name(file)}:{frame.get('line')} in {frame.get('name')}")
