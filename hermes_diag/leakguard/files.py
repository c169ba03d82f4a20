"""Which line opened a file: by its path, or, where one is made around a descriptor, by device and inode.

An audit event tells the path before there is a descriptor. So two lines that open one file cannot be told apart, and
both are named. Of descriptors that raise no event (os.pipe, epoll, memfd_create, openpty) no line is seen, unless
a file or an mmap is made around them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Hashable
from typing import Any

from hermes_diag.leakguard.opening import Opening

_fstat, _getcwd, _fspath = os.fstat, os.getcwd, os.fspath  # called while a test may have replaced them
_SEPARATOR = os.sep
#: Paths remembered, the newest; lines of each.
_MANY, _LINES = 4096, 4
#: Files that SQLite opens beside the one that it is asked for.
_SIDES = ("-wal", "-shm", "-journal")
_DELETED = " (deleted)"
_NAMELESS = getattr(os, "O_TMPFILE", 0)


class Files:
    """Lines by file."""

    def __init__(self) -> None:
        self._by_name: dict[Hashable, list[Opening]] = {}

    def saw(self, event: str, args: tuple[Any, ...], opening: Opening) -> None:
        """A file is about to be opened there, or something to be made around a descriptor."""
        name = _name(event, args)
        if name is None:
            return
        known = self._by_name.setdefault(name, [])
        if len(known) < _LINES and all(one.lines != opening.lines for one in known):
            known.append(opening)
        if len(self._by_name) > _MANY:
            del self._by_name[next(iter(self._by_name))]

    def of(self, target: str, fd: int) -> tuple[Opening, ...]:
        """The lines that may have opened this descriptor, which points to that."""
        path = target.removesuffix(_DELETED)
        for side in _SIDES:
            path = path.removesuffix(side)
        names: list[Hashable] = [name for name in list(self._by_name) if isinstance(name, str) and _real(name) == path]
        with contextlib.suppress(OSError):
            names.append(_identity(fd))
        folder, _, base = path.rpartition(_SEPARATOR)
        if base.startswith("#"):  # a file without a name, in that folder
            names.append(("nameless", folder))
        found = [opening for name in dict.fromkeys([path, *names]) for opening in self._by_name.get(name, ())]
        return tuple({opening.lines: opening for opening in found}.values())


def _real(name: str) -> str:
    """As the system shows it: a path may have been given by a link."""
    try:
        return os.path.realpath(name)
    except (OSError, ValueError):
        return name


def _name(event: str, args: tuple[Any, ...]) -> Hashable | None:
    given = args[0]
    if isinstance(given, int):
        return _identity(given) if given >= 0 else None
    path = _fspath(given)
    if isinstance(path, bytes):
        path = path.decode(errors="surrogateescape")
    if not path.startswith(_SEPARATOR):
        if event == "sqlite3.connect" and path in ("", ":memory:"):
            return None
        path = _getcwd() + _SEPARATOR + path
    if event == "open" and _NAMELESS and args[2] & _NAMELESS == _NAMELESS:
        return "nameless", path.rstrip(_SEPARATOR)
    return str(path)


def _identity(fd: int) -> tuple[int, int]:
    seen = _fstat(fd)
    return seen.st_dev, seen.st_ino
