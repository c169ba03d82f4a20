"""Text as GitHub shows it: what a field holds stays text, and a document keeps within so many bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from hermes_diag.core.text import one_line

#: Characters of one field.
LONGEST = 400
#: Shows nothing. GitHub looks for mentions, issues, addresses and emoji in what is rendered, so that a backslash before
#: them would not do.
_NOTHING = "&#8203;"
#: Behind each of these something follows that would make it a link, a mention or a picture.
_BEFORE = re.compile(
    r"""
    (?<=@)(?=\S)                 # @user, and an address of mail
    | (?<=\#)(?=\d)              # #123
    | (?<=GH-)(?=\d)           # GH-123
    | (?<=:)(?=//)               # https://...
    | (?<=www)(?=\.)           # www.example.com
    | (?<=:)(?=[\w+-]+(:|\Z))    # :100: whose second colon may be the one that we put behind the field
    """,
    re.IGNORECASE | re.VERBOSE,
)
#: A backslash makes text of these. At the beginning of a field so do signs of lists, headings and lines.
_MARKUP = re.compile(r"([\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_])|^[#+=:-]|(?<=^\d)[.)]|(?<=^\d\d)[.)])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "<span>$</span>"}  # between two $ GitHub sees a formula
_LONG_NUMBER = re.compile(r"^\d{3,9}[.)]")


def escaped(text: str) -> str:
    """A field as a piece of one line: never markup, a link, a mention, a second line or a cell of its own. A field that
    is long is cut."""
    text = one_line(text)
    text = text if len(text) <= LONGEST else text[:LONGEST] + "..."
    lead = _NOTHING if _LONG_NUMBER.match(text) else ""
    # Where nothing may stand is marked by a character that one_line leaves nowhere.
    text = _MARKUP.sub(r"\\\1", _BEFORE.sub("\0", text))
    text = re.sub("[&<>$]", lambda found: _ENTITIES[found[0]], text)
    return lead + text.replace("\0", _NOTHING)


def bold(text: str) -> str:
    """A field in bold; "" stays so, which as `****` would be a line across the page."""
    return f"**{escaped(text)}**" if text.strip() else ""


class Sheet:
    """A document of at most so many bytes, made part by part. What finds no room is left out, and said."""

    def __init__(self, most: int) -> None:
        self._room = most - 500  # for what is said at the end
        self._lines: list[str] = []
        self._left: list[str] = []
        self._lost = 0  # lines of no part

    def add(self, lines: Iterable[str]) -> None:
        """Lines that stand as long as there is room; the caller keeps them few."""
        for line in lines:
            size = _size(line)
            if size <= self._room:
                self._room -= size
                self._lines.append(line)
            else:
                self._lost += 1

    def part(self, what: str, lines: Sequence[str], head: Sequence[str] = (), fold: bool = False) -> None:
        """So many lines as fit into two thirds of the room. what: the plural that names them; fold: closed at first."""
        if not lines:
            return
        title = f"<details><summary>{what[0].upper()}{what[1:]} ({len(lines):,})</summary>"
        before = ["", title, "", *head] if fold else ["", *head]
        after = ["", "</details>"] if fold else []
        room = self._room * 2 // 3 - sum(map(_size, (*before, *after)))
        fitting = 0
        while fitting < len(lines) and (room := room - _size(lines[fitting])) >= 0:
            fitting += 1
        if fitting < len(lines):
            self._left.append(f"{len(lines) - fitting:,} of {len(lines):,} {what}")
        if fitting:
            self.add([*before, *lines[:fitting], *after])

    def text(self) -> str:
        """The document with its last newline."""
        left = self._left + ([f"{self._lost:,} other lines"] if self._lost else [])
        said = ["", f"Left out, as there was no room: {', '.join(left)}. A JSON report has everything."] if left else []
        return "\n".join([*self._lines, *said]) + "\n"


def _size(line: str) -> int:
    return len(line.encode()) + 1
