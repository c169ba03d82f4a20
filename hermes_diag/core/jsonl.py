"""Files of JSON Lines that are written as things happen, so that a killed run can still be read."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import msgspec

from hermes_diag.core.errors import UsageError

#: What a line raises that is no record.
NO_RECORD = (msgspec.MsgspecError, KeyError, TypeError, AttributeError, UnicodeDecodeError, RecursionError)


def decode(path: Path, number: int, line: bytes, kinds: Mapping[str, type]) -> tuple[Any, str]:
    """A line as a record of one of these kinds, and the cell that it is of, "" without one. Raises UsageError."""
    try:
        fields = msgspec.json.decode(line)
        kind, cell = kinds[fields.pop("record")], str(fields.pop("cell", ""))
        return msgspec.convert(fields, kind, str_keys=True), cell
    except NO_RECORD as exc:
        raise changed(path, number, str(exc) if isinstance(exc, msgspec.ValidationError) else "not a record") from None


def changed(path: Path, number: int, why: str) -> UsageError:
    """A line that is not as it was written."""
    return UsageError(f"{path} line {number}: {why}", "the file was changed after it was written")


class Writer:
    """Writes one record a line, unbuffered: each line is there at once.

    When the disk gives out, writing ends and `failure` says why; whoever writes goes on.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.failure = ""
        self._file = file

    def put(self, record: dict[str, Any]) -> None:
        if self.failure:
            return
        data = msgspec.json.encode(record) + b"\n"
        try:
            # A disk that is nearly full takes a part of a line, and only the next write is an error.
            if self._file.write(data) != len(data):
                self.failure = "the disk is full"
        except OSError as exc:
            self.failure = exc.strerror or type(exc).__name__


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
