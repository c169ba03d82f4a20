"""Temporary folders of ours. Their names say which process made them, so that a later run can remove those of processes
that were killed.

`hermes-diag-PID-START-PLACE-RANDOM`: START is when that process was started, which tells it from a later one with the
same PID; PLACE stands for the namespaces in which both numbers mean something (a folder may be shared by containers).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from hermes_diag.core.errors import CannotMeasure

PREFIX = "hermes-diag-"
_NAME = re.compile(r"hermes-diag-([0-9]{1,10})-([0-9]{1,20})-([0-9a-f]{1,16})-[a-z0-9_]{4,16}")
_DRAFT = re.compile(rf"\.{_NAME.pattern}\.part")


def folder() -> tempfile.TemporaryDirectory[str]:
    """A folder of this user alone, which is removed at the end. Raises CannotMeasure where none can be made."""
    _swept(tempfile.gettempdir())
    try:
        return tempfile.TemporaryDirectory(prefix=_own(), ignore_cleanup_errors=True)
    except OSError as exc:
        raise no_room(exc) from None


@cache
def _swept(place: str) -> None:
    """Once in this process: a folder of temporary files may have many thousands."""
    sweep(place)


def make(place: str | Path) -> Path:
    """A folder of this user alone in that one; whoever makes it removes it. Raises OSError."""
    return Path(tempfile.mkdtemp(prefix=_own(), dir=place))


def draft() -> str:
    """A name for a file that is written beside another, whose place it takes when it is whole."""
    return f".{_own()}{os.urandom(8).hex()}.part"


def no_room(refused: OSError) -> CannotMeasure:
    """Why there is no temporary folder, and what to do."""
    named = (
        f" in {os.environ['TMPDIR']}" if os.environ.get("TMPDIR", "").isprintable() and "TMPDIR" in os.environ else ""
    )
    return CannotMeasure(
        f"cannot make a temporary folder{named}: {refused.strerror or type(refused).__name__}",
        "set TMPDIR to a folder with room that you may write to",
    )


def sweep(place: str | Path | None = None, busy: Callable[[Path], bool] = lambda path: False) -> None:
    """Remove the folders there (None: where temporary files are) of this user's processes that are no more.

    busy: whether one is still used by others than its maker. No link is followed."""
    with contextlib.suppress(OSError), os.scandir(place or tempfile.gettempdir()) as entries:
        for entry in entries:
            if (match := _NAME.fullmatch(entry.name)) is None or not entry.is_dir(follow_symlinks=False):
                continue
            if _is_dead(entry, match) and not busy(Path(entry.path)):
                shutil.rmtree(entry.path, ignore_errors=True)


def sweep_drafts(place: str | Path) -> None:
    """Remove what processes of this user that are no more have left half written beside other files."""
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if (match := _DRAFT.fullmatch(entry.name)) is not None and _is_dead(entry, match):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


def _is_dead(entry: os.DirEntry[str], match: re.Match[str]) -> bool:
    """Whether it is this user's, and of a process of this place that is no more."""
    try:
        return (
            match[3] == _place()
            and entry.stat(follow_symlinks=False).st_uid == os.geteuid()
            and not _lives(int(match[1]), int(match[2]))
        )
    except OSError:
        return False


def _own() -> str:
    return f"{PREFIX}{os.getpid()}-{_started(os.getpid()) or 0}-{_place()}-"


@cache
def _place() -> str:
    """What stands for the namespaces of PIDs and of clocks that this process is in (Linux)."""
    number = 0
    for kind in ("pid", "time"):
        with contextlib.suppress(OSError):
            number = number * 65599 + os.stat(f"/proc/self/ns/{kind}").st_ino
    return f"{number & 0xFFFFFFFF:x}"


def _lives(pid: int, started: int) -> bool:
    """Whether the process that was started then is there; yes where that cannot be told."""
    try:
        os.kill(pid, 0)  # asks, and sends nothing
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    now = _started(pid)
    return now is None or now == started


def _started(pid: int) -> int | None:
    """When a process was started, in ticks of its system or in seconds; None: that cannot be told."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        pass
    import psutil

    try:
        return int(psutil.Process(pid).create_time())
    except psutil.Error:
        return None
