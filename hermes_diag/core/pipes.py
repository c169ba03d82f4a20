"""What is done when the reader of our output has left (`| head`): the one place."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TextIO


def printed(printing: Callable[[], object], stream: TextIO | None = None) -> bool:
    """Print to stdout, or another stream, at once; False when the reader has left, after which all is swallowed: the
    verdict stands."""
    to = stream or sys.stdout
    try:
        printing()
        to.flush()
    except BrokenPipeError:
        swallow(to.fileno())
        return False
    return True


def swallow(number: int) -> None:
    """Let a descriptor lead nowhere. Else Python would complain once more when it flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
