"""What the terminal views have in common: the console, colours, the stack's line, the verdict."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.segment import Segment
from rich.text import Text

from hermes_diag.core import text as text_
from hermes_diag.core.report import Report
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.core.trials import MatrixReport
from hermes_diag.worker.contract import Hello

#: Readable on a white and on a black background, which yellow, cyan, blue and dim text are not.
GOOD, BAD, UNSURE, TITLE = "green", "bold red", "magenta", "bold"
ROWS = {
    RowStatus.PASSED: GOOD,
    RowStatus.FAILED: BAD,
    RowStatus.NOTED: TITLE,
    RowStatus.NOT_APPLICABLE: "",
    RowStatus.COULD_NOT_TELL: UNSURE,
    RowStatus.ALLOWED: UNSURE,
    RowStatus.KNOWN: UNSURE,
}
_VERDICTS = {Status.CLEAN: "bold green", Status.FAILING: BAD}
#: Columns from which on a matrix has its two dimensions, and rows are a table; below, lists.
WIDE, VERY_WIDE = 76, 110


class _Console(Console):
    """Texts are never markup, and what others have put into one takes no effect on a terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:  # colours are in the style: none is in the text
                yield Segment(text_.lines(segment.text.replace("\x1b", "\\x1b")), segment.style)

    def on_broken_pipe(self) -> None:
        # rich would leave with exit code 1, which in this program is a verdict.
        raise BrokenPipeError


def console(width: int | None = None, stderr: bool = False, colour: bool = True) -> Console:
    """A console for stdout or stderr: rich heeds NO_COLOR, TERM=dumb and pipes by itself."""
    # COLUMNS=0 would print nothing at all.
    columns = os.environ.get("COLUMNS", "")
    width = width or (80 if columns == "0" else None)
    return _Console(
        width=width,
        stderr=stderr,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
        color_system="auto" if colour else None,
    )


def printed(renderable: RenderableType, width: int, colour: bool = False) -> str:
    """A renderable as text, without blanks at the ends of lines. colour: for stdout, in the colours that it takes."""
    target = console(width, colour=colour)
    with target.capture() as captured:
        target.print(renderable)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def heading(text: str) -> Text:
    return Text(f"\n{text}", style=TITLE)


def indented(lines: Iterable[str]) -> Padding:
    """Lines that hang two columns under what stands above them. A str would be taken for markup."""
    return Padding(Text("\n".join(lines)), (0, 0, 0, 2), expand=False)


def stack_line(stack: Hello) -> str:
    """What was put to the test, by release."""
    return f"{stack.python}, openai {stack.openai}, {stack.http}, {stack.core}, h11 {stack.h11}, {stack.system}"


def stack_lines(report: Report) -> list[str]:
    """The same of a whole report; of several targets each."""
    if isinstance(report, MatrixReport):
        lines = [f"{one.name}: {stack_line(one.stack)}" for one in report.targets if one.stack]
    else:
        lines = [stack_line(report.stack)] if report.stack else []
    return lines or ["no worker said what it runs on"]


def verdict(report: Report) -> Text:
    """The verdict in the colour of its status."""
    return Text(report.verdict, style=_VERDICTS.get(report.status, f"bold {UNSURE}"))
