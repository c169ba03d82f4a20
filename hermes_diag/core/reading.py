"""The one way in which a file is read that we did not write ourselves: once, in pieces, and no more of it than so many
bytes.

What is no file (a directory, a device, a socket) is not even opened: to open a device may set something off. A pipe is
read as it comes, as of `<(command)`; no longer than PATIENCE is waited for somebody to open its other end. Between two
pieces Python hears signals. Logs, which may have many GB, are opened by hermes/logs/files.py, and read in the same way.
"""

from __future__ import annotations

import errno
import os
import re
import select
import stat
import time
from collections.abc import Iterator

MIB = 1 << 20
#: Bytes of a piece at most, and seconds for which a pipe may be without anybody who writes into it.
PIECE, PATIENCE = 1 << 18, 2.0
#: Seconds from one look at a pipe to the next.
_LOOK = 0.05
_LINUX = os.uname().sysname == "Linux"

#: Values of a JSON text whose shape is not known at most: each of them may take 250 bytes of memory.
VALUES = 250_000
#: What a value has at least one of, and three at most: a text, a comma, an opening bracket.
_MARK = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|[,\[{]', re.DOTALL)

Name = str | os.PathLike[str]


class Unreadable(OSError):
    """What the name stands for is not read; `strerror` says why, as of any other OSError."""


class TooLarge(Unreadable):
    """It has more bytes than are read."""

    def __init__(self, most: int) -> None:
        size = f"{most >> 20} MiB" if most >= MIB else f"{most >> 10} KiB" if most >= 1024 else f"{most} bytes"
        super().__init__(errno.EFBIG, f"it has more than {size}")


def whole(path: Name, most: int) -> bytes:
    """All that is in a file. Raises OSError, with words of ours where the system has none."""
    return b"".join(pieces(path, most))


def pieces(path: Name, most: int) -> Iterator[bytes]:
    """The content of a file, in pieces of at most PIECE bytes. Raises OSError, with words of ours where the system has
    none."""
    number = _opened(path)
    try:
        status = os.fstat(number)
        refuse(status.st_mode)
        if status.st_size > most:
            raise TooLarge(most)
        left = most
        for piece in (_read_pipe if stat.S_ISFIFO(status.st_mode) else _read)(number):
            left -= len(piece)
            if left < 0:
                raise TooLarge(most)
            yield piece
    finally:
        os.close(number)


def _opened(path: Name) -> int:
    try:
        refuse(os.stat(path).st_mode)
        # Without O_NONBLOCK the open itself waits for whoever writes into a pipe.
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError:
        raise Unreadable(errno.EINVAL, "its name has a NUL in it") from None


def refuse(mode: int) -> None:
    """Raises Unreadable for a directory, a device and a socket."""
    if stat.S_ISDIR(mode):
        raise Unreadable(errno.EISDIR, "it is a directory")
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
        raise Unreadable(errno.EINVAL, f"it is a {'socket' if stat.S_ISSOCK(mode) else 'device'}, not a file")


def _read(number: int) -> Iterator[bytes]:
    while piece := os.read(number, PIECE):
        yield piece


def _read_pipe(number: int) -> Iterator[bytes]:
    """What comes out of a pipe until all who write into it have closed it. Raises Unreadable when nobody opens it."""
    looking = select.poll()
    looking.register(number, select.POLLIN)
    until = time.monotonic() + PATIENCE
    opened = False  # somebody has, or has had, the other end
    while True:
        told = looking.poll(1000 * _LOOK)
        try:
            piece = os.read(number, PIECE)
        except BlockingIOError:  # there is somebody, who has nothing to say yet
            opened = True
            continue
        if piece:
            opened = True
            yield piece
        elif opened or (told and _LINUX):  # of an end that nobody has opened yet Linux tells no hangup
            return
        elif time.monotonic() > until:
            raise Unreadable(errno.EPIPE, "it is a pipe into which nobody writes")
        elif told:
            time.sleep(_LOOK)


def is_crowded(data: bytes, most: int = VALUES) -> bool:
    """Whether a JSON text has more values than that: a few MB of `[],[],` take GB in memory."""
    if sum(map(data.count, (b",", b"[", b"{"))) <= most:
        return False
    return any(number >= 3 * most for number, _ in enumerate(_MARK.finditer(data)))
