"""Captures side by side for people: what changed first, of what is the same the names."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hermes_diag.core.report import Change, ComparedReport
from hermes_diag.core.text import one_line
from hermes_diag.reporters import style
from hermes_diag.reporters.style import WIDE, heading, indented

_STYLES = {"worse": style.BAD, "fixed": style.GOOD, "same": style.GOOD, "not told": style.UNSURE}


def render(report: ComparedReport, width: int, verbose: bool = False) -> RenderableType:
    """A table where there is room for one, else a list."""
    shown = [one for one in report.changes if verbose or one.word != "same"]
    parts: list[RenderableType] = []
    for name, verdict in zip(report.names, report.verdicts, strict=True):
        parts.append(Text.assemble((name, style.TITLE), f": {one_line(verdict)}"))
    for other in report.others:
        parts.append(Text(f"differs: {one_line(other)}", style=style.UNSURE))
    if shown:
        parts.append(heading("What changed" if not verbose else "One by one"))
        parts += [_table(report, shown)] if width >= WIDE and len(report.names) < 4 else _list(report, shown)
    if same := [one.name for one in report.changes if one.word == "same" and not verbose]:
        parts += [heading("The same"), Text(", ".join(same))]
    return Group(*parts, heading("Verdict"), style.verdict(report))


def _table(report: ComparedReport, shown: list[Change]) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style=style.TITLE)
    for title in ("", "what", *report.names):
        table.add_column(title, overflow="fold")
    for one in shown:
        texts = [Text(one_line(seen.text) if seen else "not there") for seen in one.seen]
        table.add_row(Text(one.word, style=_STYLES.get(one.word, style.TITLE)), Text(one_line(one.name)), *texts)
    return table


def _list(report: ComparedReport, shown: list[Change]) -> Iterator[RenderableType]:
    for one in shown:
        yield Text.assemble((one.word, _STYLES.get(one.word, style.TITLE)), "  ", (one_line(one.name), style.TITLE))
        yield indented(
            f"{name}: {one_line(seen.text) if seen else 'not there'}"
            for name, seen in zip(report.names, one.seen, strict=True)
        )
