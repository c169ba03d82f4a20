"""The table [tool.hermes-diag] of a pyproject.toml, and the line on which each of its values stands. Pure."""

from __future__ import annotations

import codecs
import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hermes_diag.core import toml
from hermes_diag.core.errors import UsageError
from hermes_diag.core.text import did_you_mean
from hermes_diag.judge.settings import FLAGS, Layer, kind_of

TABLE = "hermes-diag"  # in [tool]
#: How often a document is read again to find a line in it, and how many characters that may be in all.
_TRIES, _READ = 500, 2 * toml.MAX_BYTES


def document(data: bytes, name: str) -> Layer | None:
    """The table of a pyproject.toml that is shown as `name`, None when it has none. Raises UsageError."""
    if data.startswith(codecs.BOM_UTF8):
        raise UsageError(f"{name}:1: not TOML: begins with a byte order mark; save it as UTF-8 without one")
    try:
        text = data.decode()
        whole = toml.loads(text)
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise UsageError(f"{name}:{line}: not UTF-8") from None
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(_not_toml(name, text, str(exc))) from None
    except RecursionError:
        raise UsageError(f"{name}: nested too deeply to be read") from None
    except ValueError as exc:  # Python refuses a number of thousands of digits
        raise UsageError(f"{name}: cannot be read: {exc}") from None

    def where(path: tuple[str | int, ...]) -> str:
        return f"{name}:{line_of(text, ('tool', TABLE, *path))}: {_dotted(('tool', TABLE, *path))}"

    tool = whole.get("tool", {})
    if not isinstance(tool, dict):
        raise UsageError(f"{name}:{line_of(text, ('tool',))}: tool: a table, not {kind_of(tool)}")
    if (near := TABLE.replace("-", "_")) in tool:
        raise UsageError(f"{name}:{line_of(text, ('tool', near))}: tool.{near}: unknown table; did you mean {TABLE}?")
    if TABLE not in tool:
        return None
    table = tool[TABLE]
    layer = Layer(name, table, where, os.path.dirname(name))
    if not isinstance(table, dict):
        layer.wrong((), f"a table, not {kind_of(table)}")
    for key in table:
        if key not in FLAGS:
            layer.wrong((key,), f"unknown key; {did_you_mean(key, FLAGS)}")
    return layer


def _not_toml(name: str, text: str, said: str) -> str:
    match = re.search(r"^(.*) \(at (?:line (\d+), column (\d+)|end of document)\)$", said, re.DOTALL)
    line = match[2] if match and match[2] else str(len(text.splitlines()) or 1)
    return f"{name}:{line}: not TOML: {(match[1] if match else said).splitlines()[0]}"


def _dotted(path: Iterable[str | int]) -> str:
    """Keys that TOML would have in quotes are, with what cannot be printed escaped."""
    parts = [part if isinstance(part, int) or re.fullmatch(r"[\w-]+", part) else json.dumps(part) for part in path]
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")


def line_of(text: str, path: Sequence[str | int], tries: Iterator[int] | None = None) -> int:
    """The line of a TOML document on which the value at `path` stands: tomllib does not say.

    Of the lines that name the last key of the path it is the first with which, up to the end of its
    statement, the document has that value: so no comment, string or other table is mistaken for it. Of an array of
    many lines it is the one with which it has that element. Where that takes more `tries` than there are, it is a line
    near it.
    """
    word = str(next(part for part in reversed(path) if isinstance(part, str)))
    defines = re.compile(rf"(?<![\w-])[\"']?{re.escape(word)}[\"']?\s{{0,99}}[=.\]]")
    lines = text.splitlines(keepends=True)
    tries = iter(range(min(_TRIES, _READ // max(1, len(text))))) if tries is None else tries
    for first, line in enumerate(lines, start=1):
        if not defines.search(line):
            continue
        last = _end(lines, first, path, tries)
        if last is not None:
            return _element(lines, first, last, path, tries)
    return line_of(text, path[:-1], tries) if len(path) > 1 else 1


def _end(lines: list[str], first: int, path: Sequence[str | int], tries: Iterator[int]) -> int | None:
    """The last line of the statement that line `first` is part of, if the document has a value at `path` up to there.

    None when it has none, or when that takes more `tries` than there are left.
    """
    for last in range(first, len(lines) + 1):
        if last > first and lines[last - 1].rstrip().endswith(","):
            continue  # an array that goes on
        if next(tries, None) is None:
            return None
        if (has := _has(lines, last, path)) is not None:
            return last if has else None
    return None


def _element(lines: list[str], first: int, last: int, path: Sequence[str | int], tries: Iterator[int]) -> int:
    """The first line with which an array, closed there, has that element; of what is no array the first."""
    low, high = first, last
    while low < high:
        if next(tries, None) is None:
            return first
        middle = (low + high) // 2
        if _has(lines, middle, path, "\n]"):
            high = middle
        else:
            low = middle + 1
    if low == last and _has(lines, last - 1, path, "\n]") is None:
        return first  # no array, even when it is closed before its last line
    return low


def _has(lines: list[str], last: int, path: Sequence[str | int], end: str = "") -> bool | None:
    """Whether a document of the lines up to `last`, and that end, has a value at `path`; None if it is no document."""
    try:
        value: Any = toml.loads("".join(lines[:last]) + end)
        for part in path:
            value = value[part]
        return True
    except (ValueError, RecursionError):
        return None
    except (KeyError, IndexError, TypeError):
        return False
