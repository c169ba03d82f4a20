"""Formats of a report: one file each, found by listing this folder.

A format has a docstring whose first line is its line in the help, `ENDING` (of a file's name, "" for
none) and `render(report, width, verbose) -> str`: the text, with its last newline.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from hermes_diag.core.errors import UsageError
from hermes_diag.core.text import did_you_mean

if TYPE_CHECKING:
    from hermes_diag.core.report import Report


class Format(Protocol):
    """What a module in this folder is. width: columns; verbose: with every turn and socket."""

    ENDING: str

    def render(self, report: Report, width: int, verbose: bool) -> str: ...


def names() -> list[str]:
    """Every format by its name."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def summary(name: str) -> str:
    """The first line of its docstring."""
    return (load(name).__doc__ or "").partition("\n")[0]


def load(name: str) -> Format:
    """The format of that name. Raises UsageError."""
    if name not in names():
        raise UsageError(f"there is no format {name!r}", did_you_mean(name, names()))
    return cast(Format, importlib.import_module(f"{__name__}.{name}"))


def of_file(path: Path) -> Format:
    """The format that a file's name asks for by its ending. Raises UsageError."""
    known = {format_.ENDING: format_ for format_ in map(load, names()) if format_.ENDING}
    ending = path.suffix.lower()
    if ending not in known:
        raise UsageError(f"--output {path}: the ending names no format", f"use one of {', '.join(sorted(known))}")
    return known[ending]
