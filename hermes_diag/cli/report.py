"""`hermes-diag report`: the same again, in another form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hermes_diag.cli.options.output import Output, reporting

if TYPE_CHECKING:
    from hermes_diag.core.anonymise import Pseudonyms
    from hermes_diag.core.capture import Reader
    from hermes_diag.core.new_file import Written
    from hermes_diag.core.report import Report

EXAMPLES = """
  hermes-diag report run.jsonl
  hermes-diag report run.jsonl.gz --json
  hermes-diag report run.jsonl --open
  hermes-diag report before.jsonl after.jsonl
  hermes-diag report run.jsonl --anonymise --output report.md --output run-to-pass-on.jsonl.gz
  hermes-diag report --check report.md
  hermes-diag report night.jsonl -v --output night.html --output night.md
"""


Captures = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", help="Files written by --save, whole or cut off. Several are compared."),
]


Anonymise = Annotated[
    bool,
    typer.Option("--anonymise", help="Give hosts, users and paths pseudonyms in every format: host-1, path-1."),
]


Check = Annotated[
    bool,
    typer.Option("--check", help="List what a reader could learn from FILE: a report in any format, or a capture."),
]


@reporting(("save", "force"))
def command(
    captures: Captures,
    anonymise: Anonymise = False,
    check: Check = False,
    *,
    output: Output,
) -> int:
    """Judge what an earlier run, check, watch, look or trace has seen again, and print it; runs nothing.

    Exit codes are those of the command that wrote the file. Several files, the oldest first, are compared, what changed
    comes first: exit code 0 when nothing got worse from the first to the last, 1 when something did, 3 when that could
    not be told. With --check 1 when something in it looks like a secret, else 0.
    """
    from hermes_diag.cli import telling
    from hermes_diag.cli.terminal import meanwhile
    from hermes_diag.core.text import one_line

    if check:
        return _check(captures, anonymise, output)

    copies = [path for path in output.files if _is_capture(path)]
    output = replace(output, files=tuple(path for path in output.files if path not in copies))
    named = {f"FILE {number}": path for number, path in enumerate(captures, start=1)}
    reports_to = telling.report_files(output, **named)
    with meanwhile(f"reading {one_line(', '.join(path.name for path in captures))[:60]} ..."):
        readers = [_reader(path, bool(copies)) for path in captures]
        found = [read(one) for one in readers]
    report = found[0][0]
    said: list[str | Written] = [note for _, notes in found for note in notes]
    if len(found) > 1:
        from hermes_diag.run import comparison

        report = comparison.of(_names(captures), [one for one, _ in found])
    names = _pseudonyms() if anonymise else None
    said += [_copy(readers, path, names) for path in copies]
    return telling.tell(names.of(report) if names else report, output, reports_to, said)


def _check(files: list[Path], anonymise: bool, output: Output) -> int:
    """Tell what a reader of a file could learn; the exit code. Raises UsageError."""
    from hermes_diag.cli import telling
    from hermes_diag.cli.names import of_this_machine
    from hermes_diag.core import learnt, packed_lines, reading
    from hermes_diag.core.errors import UsageError

    if len(files) > 1 or anonymise:
        raise UsageError("--check reads one file, and writes none of it", "give one FILE, and leave --anonymise out")
    if output.verbose:
        raise UsageError("-v has no effect with --check", "leave it out")
    try:
        data = reading.whole(files[0], packed_lines.MOST)
    except OSError as exc:
        raise UsageError(f"cannot read {files[0]}: {exc.strerror}", "name a report or a capture") from None
    data, said = _readable(files[0], data)
    reports_to = telling.report_files(output, FILE=files[0])
    return telling.tell(learnt.of(files[0].name, data, of_this_machine()), output, reports_to, said)


def _readable(path: Path, data: bytes) -> tuple[bytes, list[str]]:
    """The content unpacked and in UTF-8, and what is to be said of it. Raises UsageError for what is no text."""
    import codecs
    import zlib

    from hermes_diag.core.errors import UsageError

    said = []
    try:
        if data.startswith(b"\x1f\x8b"):
            data, is_whole = _unpacked(path, data)
            if not is_whole:
                said = [f"{path} is cut off: it was read as far as it goes"]
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            data = data.decode("utf-16").encode()
    except (zlib.error, UnicodeError):
        raise UsageError(f"{path} cannot be unpacked or decoded", "the file was changed after it was written") from None
    if b"\0" in data:
        raise UsageError(f"{path} is no text: --check cannot read it", "name a report or a capture as text in UTF-8")
    return data, said


def _unpacked(path: Path, data: bytes) -> tuple[bytes, bool]:
    """(the content, whether it is whole). Raises UsageError, zlib.error."""
    from hermes_diag.core.errors import UsageError
    from hermes_diag.core.packed_lines import MOST, unpacked
    from hermes_diag.core.reading import MIB

    content = bytearray()
    try:
        for piece in unpacked(iter([data])):
            content += piece
            if len(content) > MOST:
                raise UsageError(f"{path} has more than {MOST // MIB} MiB unpacked", "name a report or a capture")
    except EOFError:
        return bytes(content), False
    return bytes(content), True


def _is_capture(path: Path) -> bool:
    return path.name.lower().endswith((".jsonl", ".jsonl.gz"))


def _pseudonyms() -> Pseudonyms:
    from hermes_diag.cli.names import of_this_machine
    from hermes_diag.core.anonymise import Pseudonyms

    return Pseudonyms(of_this_machine())


def _copy(captures: list[Reader], to: Path, names: Pseudonyms | None) -> Written:
    """The capture again, packed if the name says so, with pseudonyms where they are asked for; what to say of it.

    Lines of later releases stay, but for what looks like a secret in them. Raises UsageError.
    """
    import gzip

    import msgspec

    from hermes_diag.cli.files import ReportFile, refuse_same_files
    from hermes_diag.core import redact
    from hermes_diag.core.errors import UsageError

    if len(captures) > 1:
        raise UsageError(f"--output {to}: of several captures there is no one capture", "name a report, such as x.html")
    refuse_same_files([("FILE", captures[0].path), ("--output", to)])
    file = ReportFile(to)
    lines = captures[0].file.kept
    try:
        records: list[object] = [redact.within(msgspec.json.decode(line)) for line in lines]
        if names:
            records = names.of(records)
    except RecursionError:
        raise UsageError(f"--output {to}: a line is nested too deeply", "name a report, such as x.html") from None
    data = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    return file.write(gzip.compress(data, mtime=0) if to.suffix.lower() == ".gz" else data)


def _names(paths: list[Path]) -> list[str]:
    """What the captures are called: their names, with as much of their folders as tells them apart."""
    for parts in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-parts:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [f"{number}: {path}" for number, path in enumerate(paths, start=1)]


def _reader(path: Path, keep: bool) -> Reader:
    from hermes_diag.core.capture import Reader

    return Reader(path, keep)


def read(source: Path | Reader) -> tuple[Report, list[str]]:
    """A file of any kind as (its report, what is to be said of the file). Raises UsageError."""
    reader = _reader(source, False) if isinstance(source, Path) else source
    report = _judged(reader)
    return report, reader.notes()


def _judged(reader: Reader) -> Report:
    """A capture of any kind as its report. Raises UsageError."""
    from hermes_diag.core.errors import UsageError
    from hermes_diag.watch import capture as watched
    from hermes_diag.watch import reports

    if reader.kind == watched.WATCH:
        timeline, ended = watched.watch(reader)
        return reports.of_watch(timeline, timeline.summary(ended))
    if reader.kind == watched.LOOK:
        return watched.look(reader)
    if reader.kind == watched.TRACE:
        return watched.trace(reader)
    from hermes_diag.run import capture as runs

    if reader.kind == runs.KIND:
        return runs.judged(runs.whole(reader))
    raise UsageError(
        f"{reader.path} is a capture of a {reader.kind[:20]}, which this release does not know",
        f"use hermes-diag {reader.release[:20]}, which wrote it",
    )
