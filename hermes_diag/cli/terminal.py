"""What stdout is: how wide, whether it takes colours, whether it can be redrawn. Imports next to nothing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable

from hermes_diag.core.pipes import printed


def width() -> int:
    """Columns to fill: those of the terminal, COLUMNS, or 100 where nobody looks at columns."""
    return max(20, shutil.get_terminal_size((100, 24)).columns)


def is_live() -> bool:
    """Whether stdout is a terminal that can be redrawn."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def has_blocks() -> bool:
    """Whether what is printed can hold block characters."""
    return (sys.stdout.encoding or "utf-8").lower().startswith("utf")


def emit(text: str) -> bool:
    """Print, at once; False when the reader has left (`| head`), after which all is swallowed.

    A character that the encoding lacks becomes a question mark.
    """
    encoding = sys.stdout.encoding or "utf-8"
    return printed(lambda: sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n"))


def paint(lines: Iterable[str]) -> str:
    """Lines of the sockets reporter as text, in colour where that is welcome."""
    from hermes_diag.reporters.sockets_text import painted

    return painted(lines, colour=is_live() and not os.environ.get("NO_COLOR"))
