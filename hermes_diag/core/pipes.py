"""What is done when the reader of our output has left (`| head`): the one place."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def printed(printing: Callable[[], object]) -> bool:
    """Print, at once; False when the reader has left, after which all is swallowed: the verdict stands."""
    try:
        printing()
        sys.stdout.flush()
    except BrokenPipeError:
        swallow(sys.stdout.fileno())
        return False
    return True


def swallow(number: int) -> None:
    """Let a descriptor lead nowhere. Else Python would complain once more when it flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
