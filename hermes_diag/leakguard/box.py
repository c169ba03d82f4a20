"""Reads a black box: the file in which a process wrote down what it opened. See recorder/hermes_diag_recorder.py."""

from __future__ import annotations

import functools
import os
import re
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hermes_diag.core import reading, redact
from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.core.text import one_line
from hermes_diag.leakguard.recorder import hermes_diag_recorder as form
from hermes_diag.watch.opened import UNKNOWN, Opened

#: What is said where the box had no more room for another stack.
FULL = f"not known: the box holds {form.STACKS:,} different stacks and no more"
#: Lines of a stack that are told of one opening.
_LINES = 3
#: Of a slot only the inode and the kind.
_INDEX = struct.Struct("<dQ12xB99x")
#: Bytes of what pip wrote beside a package.
_RECORD = 16 * reading.MIB
_AGAIN = "record again: hermes-diag trace -- COMMAND"


class Slot(NamedTuple):
    """One opening, as it is in the file. at: CLOCK_MONOTONIC of that boot."""

    at: float
    inode: int
    device: int
    stack: int
    kind: int
    flags: int
    port: int
    name: bytes
    thread: bytes
    task: bytes


class _Told(NamedTuple):
    """What is told of a stack: see Opened. started: it is the one that started the thread."""

    lines: tuple[str, ...]
    library: str
    started: bool
    own: bool


class Box:
    """A box, read. Raises UsageError for a file that is none, CannotMeasure where it cannot be read.

    path: also one below /proc/PID/root.
    """

    def __init__(self, path: Path, owner: int | None = None) -> None:
        self.path = path
        self._known: dict[int, _Told] = {}
        with open(_open(path, owner), "rb") as file:
            head = file.read(form.NAMES_AT)
            if head[: len(form.MAGIC)] != form.MAGIC:
                raise UsageError(f"{path} is no box of a recorder", "name a file ending in .box, or give a PID")
            if len(head) < form.NAMES_AT:
                raise CannotMeasure(f"{path} is cut short", _AGAIN)
            values = form.HEADER.unpack_from(head)
            _, version, self.pid, self.start, self.parent, slots, self.highest, self._count = values[:8]
            ended, broken, monotonic, unix, boot, python = values[8:]
            if version != form.VERSION:
                raise CannotMeasure(
                    f"{path} has format {version}, this hermes-diag reads {form.VERSION}",
                    "read it with the release that wrote it, or start the program again with this one",
                )
            if os.fstat(file.fileno()).st_size < form.SIZE:
                raise CannotMeasure(f"{path} is cut short", _AGAIN)
            told = _is_time(monotonic) and _is_time(unix) and slots == form.SLOTS
            if not told or not -1 <= self.highest < slots or not 0 <= self._count <= form.STACKS:
                raise CannotMeasure(f"{path} is damaged", _AGAIN)
            self._tables = head + file.read(form.STACKS_AT - form.NAMES_AT)
            self._stacks = file.read(self._count * form.STACK)
            file.seek(form.SLOTS_AT)
            self._slots = file.read((self.highest + 1) * form.SLOT.size)
        self.ended, self.broken = bool(ended), bool(broken)
        self.begun, self._to_unix = float(unix), float(unix - monotonic)
        self.boot, self.python = _text(boot), _text(python)
        self.program, self._roots = _text(head[form.PROGRAM_AT : form.ROOTS_AT]), _text(head[form.ROOTS_AT :])

    def slot(self, fd: int) -> Slot | None:
        """The last opening of that number, None: it was never seen."""
        if not 0 <= fd <= self.highest:
            return None
        return _slot(form.SLOT.unpack_from(self._slots, fd * form.SLOT.size))

    @functools.cached_property
    def by_inode(self) -> dict[int, int]:
        """The descriptor of each socket and pipe, by its inode; of several the one that was opened first."""
        kinds = (form.SOCKET, form.PIPE)
        found: dict[int, tuple[float, int]] = {}
        for fd, (at, inode, kind) in enumerate(_INDEX.iter_unpack(self._slots)):
            if inode and kind in kinds and (inode not in found or at < found[inode][0]):
                found[inode] = at, fd
        return {inode: fd for inode, (_, fd) in found.items()}

    def slots(self) -> Iterator[tuple[int, Slot]]:
        """(descriptor, its last opening), of all that are written down."""
        for fd, values in enumerate(form.SLOT.iter_unpack(self._slots)):
            if one := _slot(values):
                yield fd, one

    def named(self) -> dict[str, Slot]:
        """The last opening of each SQLite database that is remembered, by its name."""
        return {_text(one.name): one for one in self._table(form.NAMES_AT, form.NAMES)}

    def threads(self) -> dict[int, Slot]:
        """By thread id."""
        return {one.inode: one for one in self._table(form.THREADS_AT, form.THREADS)}

    def children(self) -> list[Slot]:
        """Pythons that were started so that no recorder is in them; the name says why."""
        return list(self._table(form.CHILDREN_AT, form.CHILDREN))

    def unix(self, slot: Slot) -> float:
        """When, in seconds since the epoch."""
        return slot.at + self._to_unix

    def opened(self, slot: Slot, by: int | None = None) -> Opened:
        """What is told of an opening. by: the process that made it, if it is another one."""
        told = self._told(slot.stack)
        return Opened(
            at=self.unix(slot),
            lines=() if slot.kind == form.INHERITED else told.lines,
            library=told.library,
            thread=shown(slot.thread),
            task=shown(slot.task),
            accepted=bool(slot.flags & form.ACCEPTED),
            by=by,
            started=told.started,
            inherited=slot.kind == form.INHERITED,
            own=told.own,
            several=bool(slot.flags & form.SEVERAL),
        )

    def _told(self, number: int) -> _Told:
        if number not in self._known:
            self._known[number] = self._read(number)
        return self._known[number]

    def _read(self, number: int) -> _Told:
        if number >= self._count:
            return _Told((FULL if number == form.NO_MORE else UNKNOWN,), "", False, False)
        program = _packages(self.program, tuple(self._roots.splitlines()))
        own: list[str] = []
        others: list[str] = []
        library = ""
        started = False
        for flag, file, place, function in self._stack(number):
            line = f"{file}:{place} in {function}"
            if flag == form.STARTED:
                started = True
            elif flag == form.OWN or file.partition("/")[0].removesuffix(".py") in program:
                own.append(line)
            else:
                others.append(line)
                library = library if own else line
        return _Told(tuple((own or others)[:_LINES]), library if own else "", started, bool(own))

    def _stack(self, number: int) -> Iterator[tuple[str, str, str, str]]:
        """(flag, file, line, function), the innermost first."""
        if number < self._count:
            at = number * form.STACK
            size = min(int.from_bytes(self._stacks[at : at + 2], "little"), form.STACK - 2)
            for line in self._stacks[at + 2 : at + 2 + size].decode("utf-8", "replace").split("\n"):
                if not line:
                    continue
                flag, file, place, function = (one_line(line).split("|", 3) + [""] * 3)[:4]
                yield flag, redact.name(file), place, function

    def _table(self, begin: int, count: int) -> Iterator[Slot]:
        for values in form.SLOT.iter_unpack(self._tables[begin : begin + count * form.SLOT.size]):
            if one := _slot(values):
                yield one


def _slot(values: tuple[Any, ...]) -> Slot | None:
    return Slot._make(values) if values[4] and _is_time(values[0]) else None


def _is_time(seconds: float) -> bool:
    """Whether it is one that can be shown: what was changed may be no number, or without end."""
    return 0 <= seconds < 2.5e11


def _text(raw: bytes) -> str:
    """What a program called something: nothing in it may move a terminal's cursor."""
    return one_line(raw.partition(b"\0")[0].decode("utf-8", "replace"))


def shown(raw: bytes) -> str:
    """The same as it may be told to others."""
    return redact.name(_text(raw))


def _open(path: Path, owner: int | None) -> int:
    """The file, if it is one that only its owner could have written. Raises UsageError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        cure = "`hermes-diag trace --keep` says where boxes are"
        if isinstance(exc, PermissionError):
            raise CannotMeasure(
                f"cannot read {path}: {exc.strerror}", "run it as the user of that process, or as root"
            ) from None
        raise UsageError(f"cannot read {path}: {exc.strerror}", cure) from None
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o022:
        os.close(fd)
        raise UsageError(f"{path} is no file that only its owner can write", "a recorder makes its box with mode 600")
    if owner is not None and not {status.st_uid, path.parent.lstat().st_uid} <= {owner, 0}:
        os.close(fd)
        raise UsageError(f"{path} is of another user than its process", "remove it: somebody else has put it there")
    return fd


def _records(root: str) -> list[Path]:
    try:
        return list(Path(root).glob("*.dist-info/RECORD"))
    except (OSError, ValueError):  # no folder can have that name
        return []


@functools.cache
def _packages(main: str, roots: tuple[str, ...]) -> frozenset[str]:
    """Top-level names of the installed distribution that has this console script or module. Asks the files that pip
    wrote beside the packages; nothing where they are not there."""
    found: set[str] = set()
    top = main.partition(".")[0]
    for record in (record for root in roots for record in _records(root)):
        try:
            text = reading.whole(record, _RECORD).decode("utf-8", "replace")
            scripts = record.with_name("entry_points.txt")
            entries = reading.whole(scripts, _RECORD).decode("utf-8", "replace") if scripts.exists() else ""
        except OSError:
            continue
        if re.search(rf"^{re.escape(main)}\s*=", entries, re.M) or re.search(
            rf"^{re.escape(top)}(/|\.py,)", text, re.M
        ):
            names = {line.partition(",")[0].partition("/")[0].removesuffix(".py") for line in text.splitlines()}
            found |= {name for name in names if name.isidentifier()}
    return frozenset(found)
