"""What is done when the reader of our output has left (`| head`, a terminal that was closed): the one place."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from typing import TextIO


def is_gone(refused: OSError, number: int) -> bool:
    """Whether a descriptor could not be written to because its reader has left: a pipe without one, a terminal that is
    no more (SIGHUP). A disk that fails says EIO, too."""
    return refused.errno == errno.EPIPE or (refused.errno == errno.EIO and stat.S_ISCHR(os.fstat(number).st_mode))


def printed(printing: Callable[[], object], stream: TextIO | None = None) -> bool:
    """Print to stdout, or another stream, at once; False when the reader has left, after which all is swallowed: the
    verdict stands."""
    to = stream or sys.stdout
    try:
        printing()
        to.flush()
    except OSError as exc:
        if not is_gone(exc, to.fileno()):
            raise
        swallow(to.fileno())
        return False
    return True


def swallow(number: int) -> None:
    """Let a descriptor lead nowhere. Else Python would complain once more when it flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
