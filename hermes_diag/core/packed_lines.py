"""The lines of a file, unpacked where it is packed with gzip: each once, in bounded memory."""

from __future__ import annotations

import contextlib
import itertools
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from hermes_diag.core import reading
from hermes_diag.core.errors import UsageError
from hermes_diag.core.reading import MIB

#: Bytes of a line at most: a look at 60,000 sockets is as long.
LONGEST = 16 * MIB
#: Bytes of a whole file at most, unpacked: 50,000 turns are as much. Who reads it bit by bit can take more.
MOST, MOST_BIT_BY_BIT = 64 * MIB, 4096 * MIB
#: Files that may be packed one behind the other: each costs a copy of what follows.
_MEMBERS = 1000
_PACKED = b"\x1f\x8b"


class Lines:
    """Iterates over the whole lines, without their ends; half a last line is left out. Raises UsageError.

    most: bytes that are unpacked, which may be raised while it is read. start: the first bytes, as far as they have
    been read. kept: the lines that have been read, if `keep`.
    """

    def __init__(self, path: Path, most: int = MOST, keep: bool = False) -> None:
        self.path = path
        self.most = most
        self.packed = False
        self.start = b""
        self.kept: list[bytes] = []
        self._keep = keep
        self._size = 0  # of what is kept

    def __iter__(self) -> Iterator[bytes]:
        rest: list[bytes] = []
        size = 0
        for data in self._bounded():
            first, *more = data.split(b"\n")
            rest.append(first)
            size += len(first)
            if more:
                yield from self._whole(b"".join(rest), *more[:-1])
                rest, size = more[-1:], len(more[-1])
            if size > LONGEST:
                raise UsageError(f"{self.path} has a line of more than {LONGEST // MIB} MiB", _CURE)

    def _whole(self, *lines: bytes) -> tuple[bytes, ...]:
        if self._keep:
            self.kept += lines
            self._size += sum(map(len, lines))
            if self._size > MOST:
                raise UsageError(f"{self.path} has more than {MOST // MIB} MiB: it is not copied", "name a report")
        return lines

    def _bounded(self) -> Iterator[bytes]:
        size = whole = 0
        for data in self._unpacked():
            size += len(data)
            self.start = self.start or data[:100]
            if max(size, whole) > self.most:
                unpacked = " unpacked" if self.packed else ""
                raise UsageError(f"{self.path} has more than {self.most // MIB:,} MiB{unpacked}", _CURE)
            yield data
            # Of a plain file it is known when its first line has been read, and a pipe has no size.
            with contextlib.suppress(OSError):
                whole = 0 if self.packed else os.stat(self.path).st_size

    def _unpacked(self) -> Iterator[bytes]:
        """The content in pieces. Of a packed file that was cut: all that can be unpacked."""
        pieces = reading.pieces(self.path, MOST_BIT_BY_BIT)
        try:
            first = next(pieces, b"")
            while 0 < len(first) < len(_PACKED) and (more := next(pieces, b"")):  # a pipe may give a byte at a time
                first += more
            self.packed = first.startswith(_PACKED)
            if self.packed:
                with contextlib.suppress(EOFError):
                    yield from unpacked(itertools.chain([first], pieces))
            else:
                yield first
                yield from pieces
        except OSError as exc:
            raise UsageError(f"cannot read {self.path}: {exc.strerror}", "name a file written by --save") from None
        except zlib.error:
            why = "the file was changed after it was written"
            raise UsageError(f"{self.path} cannot be unpacked", why) from None


_CURE = "no capture is as large: name a file written by --save, or run again with fewer turns or sessions"


def unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The content of what is packed with gzip, also of several files one behind the other, in pieces of bounded size.

    Raises zlib.error for what cannot be unpacked, EOFError at the end of what was cut off.
    """
    machine, members = None, 0
    for data in pieces:
        while data:
            if machine is None:
                machine, members = zlib.decompressobj(wbits=31), members + 1
                if members > _MEMBERS:
                    raise zlib.error(f"more than {_MEMBERS:,} files are packed one behind the other")
            yield machine.decompress(data, reading.PIECE)
            data = machine.unconsumed_tail
            if machine.eof:
                data, machine = machine.unused_data, None
    if machine is not None:
        yield machine.flush()
        raise EOFError("it was cut off")
