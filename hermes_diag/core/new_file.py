"""Every file that a user asked for is written here: for its owner alone (0600), whole or not at all.

Nothing is overwritten unasked. What takes the place of an earlier file is written beside it, under a name that nobody
can guess and through no link, and put in its place at once when it is whole: until then the earlier one stands.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from hermes_diag.core import scratch
from hermes_diag.core.errors import CannotMeasure, HermesDiagError, UsageError, cure

if TYPE_CHECKING:
    import gzip

#: Seconds for which the reader of a pipe may let us wait.
_PATIENCE = 10.0
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_UNHURRIED = os.O_NONBLOCK | os.O_NOCTTY
#: What the system is short of: nothing is wrong with the name.
_SHORT = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EFBIG}


class Written(NamedTuple):
    """What became of a file. text: in words; whole: whether all is in it."""

    text: str
    whole: bool


def written(path: Path, trouble: str = "") -> Written:
    """trouble: why it is not whole, "" if it is."""
    return Written(f"could not be saved to {path}: {trouble}" if trouble else f"saved to {path}", not trouble)


class NewFile:
    """A new file for a capture, which is written as things happen; packed if its name says so. Context manager.

    One that is there is replaced only with `force`, and only when the run came to its end, or the user ended it: after
    an error it is as it was. One that was not there stays after an error with what it has by then, unless the run was
    refused (UsageError).
    Raises UsageError, CannotMeasure.
    """

    def __init__(self, path: Path, force: bool = False) -> None:
        self._path, self._force = path, force
        self._stack = contextlib.ExitStack()
        self._packed: gzip.GzipFile | None = None
        self._trouble = ""

    def __enter__(self) -> IO[bytes]:
        try:
            file = self._stack.enter_context(_opened(self._path, self._force))
            if self._path.suffix.lower() == ".gz":
                from hermes_diag.core.packed import Packed  # gzip takes longer to import than a look does

                self._packed = Packed(_Whole(file))
        except OSError as exc:
            gone = UsageError("not even begun")  # nothing of it stays
            self._stack.__exit__(UsageError, gone, None)
            raise refused(self._path, exc) from None
        return self._packed or file  # type: ignore[return-value]  # a binary file, and typeshed calls it none

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        try:
            if self._packed is not None:
                self._packed.close()
        except OSError as trouble:  # what was written last is not in it
            self._trouble = trouble.strerror or type(trouble).__name__
        try:
            self._stack.__exit__(kind, exc, at)
        except OSError as trouble:  # it could not be put in its place
            self._trouble = trouble.strerror or type(trouble).__name__

    def said(self, trouble: str = "") -> Written:
        """What became of it, once it is closed. trouble: of who wrote it."""
        return written(self._path, trouble or self._trouble)


def refused(path: Path, exc: OSError, cure_: str = "name another file, or add --force") -> HermesDiagError:
    """The error of a file that cannot be made. cure_: what to do about one that is there."""
    if exc.errno == errno.EEXIST:
        return UsageError(f"{path} exists", cure_)
    if exc.errno == errno.ENXIO:
        return UsageError(f"{path} is a pipe that nobody reads", "start its reader first")
    kind = CannotMeasure if exc.errno in _SHORT else UsageError
    return kind(f"cannot write {path}: {exc.strerror}", cure(exc, "name a file in a folder you may write to"))


def is_special(path: Path) -> bool:
    """Whether it is a device, a pipe or a terminal. Raises UsageError for a directory."""
    if path.is_dir():
        raise UsageError(f"{path} is a directory", "name a file in it")
    return path.exists() and not path.is_file()


@contextlib.contextmanager
def _opened(path: Path, force: bool) -> Iterator[IO[bytes]]:
    whole = Path(os.path.realpath(path))  # what a link leads to is replaced, not the link
    if is_special(path):
        if not force:
            raise FileExistsError(errno.EEXIST, "it is there")
        with special(path) as file:
            yield file
    elif force and os.path.lexists(path):
        refuse_read_only(whole)
        with beside(whole) as file:
            yield file
    else:
        with created(path) as file:
            try:
                yield file
            except BaseException as exc:
                if isinstance(exc, UsageError) or not os.fstat(file.fileno()).st_size:
                    path.unlink(missing_ok=True)
                raise


def created(path: Path, mode: int = 0o600) -> IO[bytes]:
    """A file that was not there, open for writing. Raises OSError."""
    return os.fdopen(os.open(path, _NEW, mode), "wb", buffering=0)


def refuse_read_only(path: Path) -> None:
    """A file that may not be written is meant to stay. Raises OSError."""
    if path.exists():
        os.close(os.open(path, os.O_WRONLY | _UNHURRIED))


@contextlib.contextmanager
def beside(path: Path, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """A file that takes the place of another when the block ends, at once; after an exception nothing is left of it.

    Raises OSError. The name is known before there is a file of it: an interrupt leaves none.
    """
    scratch.sweep_drafts(path.parent)
    draft, ours = path.with_name(scratch.draft()), False
    try:
        with created(draft, mode) as file:
            ours = True
            yield file
        os.replace(draft, path)
    except BaseException as exc:
        if ours or not isinstance(exc, FileExistsError):
            with contextlib.suppress(OSError):
                draft.unlink()
        raise


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a whole file in the place of another, or leave that as it was. Raises OSError."""
    with beside(path, mode) as file:
        put(file, data)


def put(file: IO[bytes], data: bytes) -> None:
    """Write all of it: a disk that is nearly full takes a part, and only the next write is an error. Raises OSError."""
    left = memoryview(data)
    while left:
        taken = file.write(left)
        if not taken:
            raise OSError(errno.ENOSPC, "the disk is full")
        left = left[taken:]


@contextlib.contextmanager
def special(path: Path) -> Iterator[IO[bytes]]:
    """A device or a pipe, opened; nobody waits for a reader that does not come. Raises OSError."""
    with _Patient(os.open(path, os.O_WRONLY | _UNHURRIED)) as file:
        yield file  # type: ignore[misc]  # a binary file, and typeshed calls it none


class _Whole(io.RawIOBase):
    """Passes on what gzip writes; what is not taken whole is an error."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, data: Any) -> int:
        put(self._file, data)
        return len(data)


class _Patient(io.RawIOBase):
    """Writes to a descriptor that does not block; a reader that takes nothing for too long is an error."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._room = select.poll()
        self._room.register(number, select.POLLOUT)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if not self._room.poll(_PATIENCE * 1000):
            raise OSError(errno.ETIMEDOUT, "nobody reads it")
        return os.write(self._number, data)

    def close(self) -> None:
        if not self.closed:
            os.close(self._number)
        super().close()
