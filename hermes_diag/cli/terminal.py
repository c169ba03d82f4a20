"""What goes out: the one place that writes to stdout and stderr, but for rich; and what stdout is: how wide, whether it
takes colours, whether it can be redrawn. Imports next to nothing.

What is written here takes no effect on a terminal, nor on the runner of GitHub Actions, whoever chose the words.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from typing import TextIO

from hermes_diag.core import text as texts
from hermes_diag.core.pipes import printed

#: Seconds after which work without a view of its own is named.
SLOW = 1.0


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
    return document(texts.lines(text), stream)


def document(text: str, stream: TextIO | None = None) -> bool:
    """The same for a text of a format that has its own escapes, such as annotations for GitHub Actions."""
    to = stream or sys.stdout
    encoding = to.encoding or "utf-8"
    return printed(lambda: to.write(text.encode(encoding, "replace").decode(encoding) + "\n"), to)


def say(*lines: str) -> None:
    """Lines for people, at once, on stderr; without one nothing is said. Each stays one line; blanks before it stay."""
    with contextlib.suppress(OSError, ValueError):  # it is full, or closed
        sys.stderr.write("".join(f"{_line(line)}\n" for line in lines if line))
        sys.stderr.flush()


def ask(question: str) -> str:
    """What the user answers to a question on stderr, without blanks around it; "" at the end of the input."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{_line(question)} ")
        sys.stderr.flush()
    return sys.stdin.readline(100).strip()


def redraw(line: str) -> None:
    """A line on a terminal in the place of the one before; "" takes it away."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"\r\x1b[K{_line(line)}")
        sys.stderr.flush()


@contextlib.contextmanager
def meanwhile(line: str) -> Iterator[None]:
    """What is done within, said on a terminal once it has taken SLOW seconds, and taken away at its end."""
    if not is_live(sys.stderr):
        yield
        return
    import threading

    timer = threading.Timer(SLOW, redraw, (line,))
    timer.daemon = True
    with contextlib.suppress(RuntimeError):  # no thread can be started: it is only a line
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if timer.ident is not None:
            timer.join()
            redraw("")


def _line(text: str) -> str:
    indent = len(text) - len(text.lstrip(" "))
    return texts.without_commands(text if text.isprintable() else " " * indent + texts.one_line(text))
