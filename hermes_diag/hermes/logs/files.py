"""The files of a log, oldest first, read in chunks of whole lines, whatever they are written in. Only reads."""

from __future__ import annotations

import codecs
import contextlib
import itertools
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from hermes_diag.core import packed_lines, reading
from hermes_diag.core.agent_log import File
from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.core.text import one_line

#: Bytes that are read at once, and of a line at most: what is longer is no line about clients.
CHUNK, LONGEST = 1 << 21, 1 << 16
#: Files that are open at once.
OPEN = 64
_NAME = re.compile(r"agent\.log(?:\.(\d{1,9}))?(\.gz)?")
_ANY = re.compile(r"(?:.*?\.(\d{1,9}))?(?:\.gz)?")


@dataclass
class Source:
    """A file that is open. size: when it was opened; what is written later is not read."""

    path: Path
    file: IO[bytes]
    size: int
    packed: bool


def of_home(place: Path) -> list[Path]:
    """`agent.log` and its rotations in a Hermes home, or of a profile; the newest first. Raises CannotMeasure."""
    folder = place / "logs"
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        names = []
    except OSError as exc:
        raise CannotMeasure(f"cannot list {folder}: {exc.strerror}", "run as the user of the gateway") from None
    found = sorted((int(match[1] or 0), name) for name in names if (match := _NAME.fullmatch(name)))
    if not found:
        cure = "start the gateway once, set HERMES_HOME or give --home, or name the files"
        raise CannotMeasure(f"there is no agent.log in {folder}", cure)
    return [folder / name for _, name in found]


def newest_first(given: Sequence[Path]) -> list[Path]:
    """Files that a user named: the number behind a name tells its age; without one the last is the newest."""
    order = list(reversed(given))
    return sorted(order, key=lambda path: int(match[1] or 0) if (match := _ANY.fullmatch(path.name)) else 0)


def opened(paths: Sequence[Path]) -> list[Source]:
    """The files, the oldest first; whoever asks closes them.

    The newest is opened first, so that a rotation meanwhile hides none; a file that has come under a second name by
    then is read once. Raises UsageError for what is no regular file, CannotMeasure.
    """
    if len(paths) > OPEN:
        raise UsageError(f"{len(paths):,} files are more than the {OPEN} that are read at once", "name fewer files")
    found: dict[tuple[int, int], Source] = {}
    try:
        for path in paths:
            try:
                reading.refuse(os.stat(path).st_mode)
                number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            except FileNotFoundError:
                raise UsageError(f"there is no file {path}", "name a log that Hermes wrote") from None
            except reading.Unreadable as exc:
                raise UsageError(f"cannot read {path}: {exc.strerror}", "name a log that Hermes wrote") from None
            except OSError as exc:
                raise CannotMeasure(f"cannot read {path}: {exc.strerror}", "run as the user of the gateway") from None
            about = os.fstat(number)
            key = (about.st_dev, about.st_ino)
            if not stat.S_ISREG(about.st_mode) or key in found:
                os.close(number)
                if key not in found:
                    raise UsageError(f"{path} is no regular file", "name a log that Hermes wrote")
                continue
            file = open(number, "rb", buffering=0)  # noqa: SIM115
            found[key] = Source(path, file, about.st_size, file.read(2) == b"\x1f\x8b")
            file.seek(0)
    except BaseException:
        for one in found.values():
            one.file.close()
        raise
    return list(reversed(found.values()))


def chunks(source: Source, tell: Callable[[File], None]) -> Iterator[bytes]:
    """Whole lines, each with its newline before it, in UTF-8 or what is as good as it. tell: what the file was, at its
    end, and what could not be read of it."""
    known = File(one_line(str(source.path)), source.size, "UTF-8")
    with source.file:
        try:
            raw = _raw(source)
            first = next(raw, b"")
            encoding = _encoding(first)
            if encoding:
                known = replace(known, encoding=encoding.upper())
                raw, first = _decoded(first, raw, encoding), b""
            yield from _lines(first, raw)
        except (OSError, EOFError, zlib.error) as exc:
            known = replace(known, trouble=f"could not be read to its end: {exc}")
        finally:
            tell(known)


def _raw(source: Source) -> Iterator[bytes]:
    if source.packed:
        yield from packed_lines.unpacked(iter(lambda: source.file.read(LONGEST), b""))
        return
    left = source.size
    while left > 0 and (data := source.file.read(min(CHUNK, left))):
        left -= len(data)
        yield data


def _encoding(first: bytes) -> str:
    """utf-16-le or utf-16-be, "" for what has ASCII in single bytes."""
    if first.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if first.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    head = first[:64]
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        if len(head) >= 4 and zeros.count(0) > len(zeros) * 0.9 and head.count(0) < len(head) * 0.6:
            return encoding
    return ""


def _decoded(first: bytes, raw: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    yield decoder.decode(first).removeprefix("\ufeff").encode("utf-8", "replace")
    for data in raw:
        yield decoder.decode(data).encode("utf-8", "replace")
    with contextlib.suppress(UnicodeError):
        yield decoder.decode(b"", final=True).encode("utf-8", "replace")


def _lines(first: bytes, raw: Iterator[bytes]) -> Iterator[bytes]:
    """Pieces that begin with a newline and end before one, or are empty. Of too long a line the begin is kept."""
    rest, skipping = b"\n", False
    for data in itertools.chain([first.removeprefix(codecs.BOM_UTF8)], raw):
        end = data.rfind(b"\n")
        if end < 0:
            rest += b"" if skipping else data
            yield b""  # whoever reads is asked whether to go on
        else:
            begin = data.find(b"\n") if skipping else 0
            yield rest + data[begin:end]
            rest, skipping = data[end:], False
        if len(rest) > LONGEST:
            cut = rest.rfind(b"\n")
            if cut > 0:
                yield rest[:cut]
                rest = rest[cut:]
            if len(rest) > LONGEST:
                rest, skipping = rest[:LONGEST], True
    yield rest
