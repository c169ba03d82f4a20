"""What stdout is: how wide, whether it takes colours, whether it can be redrawn. Imports next to nothing."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO

from hermes_diag.core.pipes import printed


def width() -> int:
    """Columns to fill: those of the terminal, COLUMNS, or 100 where nobody looks at columns."""
    return max(20, shutil.get_terminal_size((100, 24)).columns)


def is_live(stream: TextIO | None = None) -> bool:
    """Whether stdout, or another stream, is a terminal that can be redrawn."""
    return (stream or sys.stdout).isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def colours(stream: TextIO | None = None) -> bool:
    """Whether stdout, or another stream, takes colours."""
    return not os.environ.get("NO_COLOR") and (is_live(stream) or bool(os.environ.get("FORCE_COLOR")))


def has_blocks(stream: TextIO | None = None) -> bool:
    """Whether what is printed there can hold block characters."""
    return ((stream or sys.stdout).encoding or "utf-8").lower().startswith("utf")


def emit(text: str, stream: TextIO | None = None) -> bool:
    """Print to stdout, or another stream, at once; False when the reader has left (`| head`), after which all is
    swallowed. A character that the encoding lacks becomes a question mark.
    """
    to = stream or sys.stdout
    encoding = to.encoding or "utf-8"
    return printed(lambda: to.write(text.encode(encoding, "replace").decode(encoding) + "\n"), to)
