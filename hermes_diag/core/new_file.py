"""A new file for a capture: nothing is overwritten unasked, a refused run leaves all as it was; packed if its name says
so."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from hermes_diag.core.errors import UsageError

#: Seconds from one flush of a packed file to the next at least.
_FLUSH = 0.1


class _Whole(io.RawIOBase):
    """Passes on what gzip writes; a part of it that the disk does not take is an error."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, data: Any) -> int:
        if self._file.write(data) != len(data):
            raise OSError(28, "the disk is full")
        return len(data)


class _Packed(gzip.GzipFile):
    """What is flushed can be unpacked up to there. Each flush makes the file some bytes larger: there are at most ten a
    second, and the samples of a run or a watch bring the next one soon."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(filename="", mode="wb", fileobj=_Whole(file), mtime=0)
        self._flushed = 0.0

    def flush(self, *mode: int) -> None:
        if time.monotonic() - self._flushed > _FLUSH:
            super().flush(*mode)
            self._flushed = time.monotonic()


@contextlib.contextmanager
def create(path: Path, force: bool = False) -> Iterator[IO[bytes]]:
    """Open a new capture file; an existing one only with `force`. Raises UsageError.

    When the run turns out to be refused (UsageError), all is as it was: a file that this made does not stay, and
    one that was there is there again.
    """
    new = not path.exists()
    with tempfile.SpooledTemporaryFile(max_size=1 << 24) as earlier:
        kept = force and path.is_file()
        if kept:
            _copy(path, earlier)
        with _opened(path, force) as file:
            try:
                if path.suffix.lower() == ".gz":
                    yield from _packing(file)
                else:
                    yield file
            except UsageError:
                with contextlib.suppress(OSError):
                    if kept:
                        file.seek(0)
                        file.truncate()
                        shutil.copyfileobj(earlier, file)
                    elif new:
                        os.unlink(os.path.realpath(path))  # and not a link to it
                raise


def _packing(file: IO[bytes]) -> Iterator[IO[bytes]]:
    packed = _Packed(file)
    try:
        yield packed  # type: ignore[misc]  # a binary file, and typeshed calls it none
    finally:
        with contextlib.suppress(OSError):  # the disk is full: Writer has said so
            packed.close()


def _copy(path: Path, to: IO[bytes]) -> None:
    try:
        with open(path, "rb") as file:
            shutil.copyfileobj(file, to)
        to.seek(0)
    except OSError as exc:
        raise UsageError(
            f"{path} cannot be kept until the run is known to be one: {exc.strerror}",
            "remove it, or set TMPDIR to a folder that has room for it",
        ) from None


def _opened(path: Path, force: bool) -> IO[bytes]:
    try:
        return open(path, "wb" if force else "xb", buffering=0)
    except FileExistsError:
        if path.is_dir():
            raise UsageError(f"{path} is a directory", "name a file in it") from None
        raise UsageError(f"{path} exists", "name another file, or add --force") from None
    except OSError as exc:
        raise UsageError(f"cannot write {path}: {exc.strerror}", "name a file in a folder you may write to") from None
