"""A report to its files, to stdout and to a browser: the one way out of every command that judges."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hermes_diag.cli.files import ReportFile, refuse_same_files
from hermes_diag.cli.terminal import colours, document, has_blocks, say, width
from hermes_diag.core import new_file
from hermes_diag.core.errors import COULD_NOT_MEASURE, OK, PROBLEM
from hermes_diag.core.new_file import Written
from hermes_diag.reporters import formats
from hermes_diag.watch.reports import WatchReport

if TYPE_CHECKING:
    from hermes_diag.cli.options.output import Output
    from hermes_diag.core.report import Report


def report_files(output: Output, **others: Path | None) -> list[ReportFile]:
    """The files of --output, known to be writable before the run. others: files of further options, by name.

    Raises UsageError.
    """
    given = [("--output", path) for path in output.files]
    refuse_same_files([("--save", output.save), *others.items(), *given])
    for path in output.files:
        formats.of_file(path)
    return [ReportFile(path) for path in output.files]


def tell(
    report: Report,
    output: Output,
    files: Sequence[ReportFile] = (),
    said: Sequence[str | Written] = (),
    aside: bool = False,
    one_line: bool = False,
) -> int:
    """Write the report to its files and to stdout, the rest to stderr; the exit code: 3 where a file that was asked for
    could not be written, even if all is clean.

    aside: the view for terminals goes to stderr, since stdout is another program's. one_line: JSON, too, is one line,
    behind those of the samples.
    """
    columns = width()
    made = [_write(file, report, columns, output.verbose) for file in files]
    if output.open:
        made += _show(report, [file.path for file in files if file.path.suffix.lower() == ".html"])
    told = [one if isinstance(one, Written) else Written(one, whole=True) for one in (*said, *made)]
    lines = [one.text for one in told]
    stream = sys.stderr if aside and output.format == "terminal" else sys.stdout
    if output.format == "terminal":
        from hermes_diag.reporters.formats import terminal

        text = terminal.render(report, columns, output.verbose, colours(stream), has_blocks(stream))
    elif output.format == "json" and one_line:
        from hermes_diag.reporters.formats import json

        text = json.line(report)
    else:
        text = formats.load(output.format).render(report, columns, output.verbose)
    if text:
        document(text.removesuffix("\n"), stream)
    if report.interrupted and not isinstance(report, WatchReport):  # a watch says it itself
        lines.append("interrupted: this is what was measured until then")
    say(*lines)
    lost = not all(one.whole for one in told)
    return COULD_NOT_MEASURE if lost and report.exit_code in (OK, PROBLEM) else report.exit_code


def _write(file: ReportFile, report: Report, columns: int, verbose: bool) -> Written:
    """Write a report in the format that the file's name asks for; what to say of it."""
    return file.write(_encoded(formats.of_file(file.path).render(report, columns, verbose)))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _show(report: Report, written: Sequence[Path]) -> list[Written]:
    """Show it in a browser; what to say of it. written: HTML files that were written already."""
    import webbrowser

    if written:
        path = written[0]
    else:
        number, name = tempfile.mkstemp(prefix="hermes-diag-", suffix=".html")  # of this user alone
        path = Path(name)
        try:
            with open(number, "wb") as file:
                file.write(_encoded(formats.load("html").render(report, 0, True)))
        except OSError as exc:
            path.unlink()
            return [new_file.written(path, exc.strerror or type(exc).__name__)]
    try:
        shown = webbrowser.open(path.resolve().as_uri())
    except (webbrowser.Error, OSError):
        shown = False
    return [] if shown else [Written(f"no browser could be opened: open {path} yourself", whole=True)]
