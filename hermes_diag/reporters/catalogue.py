"""The list of faults for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hermes_diag.core import units
from hermes_diag.reporters.envelope import catalogue, encoded

#: Columns from which on the list is a table.
WIDE = 90


@dataclass(frozen=True)
class Line:
    """One fault. Parameters are (name, type, default); the default of one that must be given is None."""

    name: str
    parameters: tuple[tuple[str, str, str | None], ...]
    summary: str
    reference: str
    needs_tls: bool
    streams_only: bool


def as_json(lines: Sequence[Line]) -> str:
    """One JSON document."""
    return encoded(catalogue("faults", faults=[_fields(line) for line in lines]), indent=True)


def _fields(line: Line) -> dict[str, object]:
    parameters = [{"name": name, "type": kind, "default": default} for name, kind, default in line.parameters]
    return {**asdict(line), "parameters": parameters}


def render(lines: Sequence[Line], width: int) -> RenderableType:
    """The list for so many columns."""
    if width < WIDE:
        return Group(*(Group(Text(_usage(line), style="bold"), Padding(_about(line), (0, 0, 0, 2))) for line in lines))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("fault and its parameters", ratio=4, style="bold")
    table.add_column("what happens", ratio=7)
    table.add_column("models", ratio=2)
    for line in lines:
        table.add_row(_usage(line), _summary(line), line.reference)
    return table


def _usage(line: Line) -> str:
    """`rst-mid-stream=3`, `slow-events[=SECONDS]`: as it is written in a spec, defaults shown."""
    parts = [f"{name}={kind.upper() if default is None else default}" for name, kind, default in line.parameters]
    return ":".join((line.name, *parts)) if parts else line.name


def _summary(line: Line) -> str:
    return line.summary + (" (needs --tls)" if line.needs_tls else " (streams only)" if line.streams_only else "")


def _about(line: Line) -> Text:
    return Text(f"{_summary(line)}{units.cited(line.reference)}")  # a str would be markup
