"""What the template shows: plain values, made by the other modules of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hermes_diag.core.report import UNTOLD
from hermes_diag.core.status import RowStatus, Status

#: (tone, mark) of words: the mark says it without colour.
GOOD, BAD, UNSURE, NOTE, PLAIN = ("good", "✓"), ("bad", "✗"), ("unsure", "?"), ("note", "!"), ("plain", "·")
STATUS = {Status.CLEAN: GOOD, Status.FAILING: BAD, Status.COULD_NOT_TELL: UNSURE}
ROWS = {
    RowStatus.PASSED: GOOD,
    RowStatus.FAILED: BAD,
    RowStatus.NOTED: NOTE,
    RowStatus.NOT_APPLICABLE: PLAIN,
    RowStatus.COULD_NOT_TELL: UNSURE,
    RowStatus.ALLOWED: NOTE,
    RowStatus.KNOWN: NOTE,
}
SEVERITY = {"problem": BAD, "cause": UNSURE, UNTOLD: UNSURE, "note": NOTE}


@dataclass(frozen=True)
class Badge:
    """A word with its tone."""

    word: str
    tone: str
    mark: str


def badge(word: str, kind: tuple[str, str]) -> Badge:
    return Badge(word, *kind)


@dataclass(frozen=True)
class Link:
    """To a part of this page; anchor "" is plain text."""

    text: str
    anchor: str = ""


@dataclass(frozen=True)
class Entry:
    """A cell of a table. anchor: the name by which others link to it."""

    text: str
    link: str = ""
    anchor: str = ""


def entries(*texts: str) -> list[Entry]:
    """Texts as a row."""
    return [Entry(text) for text in texts]


@dataclass(frozen=True)
class Table:
    """Rows of data, bounded; note says what is left out."""

    head: tuple[str, ...]
    rows: Sequence[Sequence[Entry]]
    note: str = ""


@dataclass(frozen=True)
class Line:
    """One lifeline with its label."""

    anchor: str
    who: str
    place: str  # short; whole: as it was recorded
    whole: str
    end: str
    accused: bool  # that it stays is part of a problem
    svg: Markup


@dataclass(frozen=True)
class Chart:
    """One picture: what it shows in a sentence, its legend (class, name, meaning), its data.

    points: lines of `PER CENT|TEXT`, what can be read at moments of the picture. lines: instead of one svg.
    """

    anchor: str
    name: str
    said: str
    legend: Sequence[tuple[str, str, str]]
    table: Table
    svg: Markup | None = None
    lines: Sequence[Line] = ()
    points: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Section:
    """One cell, or one watch."""

    anchor: str
    title: str
    badge: Badge
    facts: Sequence[str]
    charts: Sequence[Chart]
    unfolded: bool
    turns: Table | None = None
    stack: Sequence[str] = ()  # of a client that hangs


@dataclass(frozen=True)
class Step:
    """One thing to do next, and why."""

    text: str
    because: str = ""
    links: Sequence[Link] = ()


@dataclass(frozen=True)
class Found:
    """A finding of one or more cells: (cell, what was seen there, turns and lifelines that it rests on)."""

    badge: Badge
    code: str
    remedy: str
    seen: Sequence[tuple[Link, str, Sequence[Link]]]
    more: Sequence[tuple[Link, str, Sequence[Link]]] = ()  # folded
    left_out: int = 0


@dataclass(frozen=True)
class Square:
    """One field of the matrix."""

    link: Link
    badge: Badge
    remark: str
    numbers: Sequence[str]


@dataclass(frozen=True)
class Matrix:
    """Cells of a run by what they have in common: (name of the row, a field for each column). others: in no row."""

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Square | None]]]
    others: Sequence[Square]
    title: str = "What was tried"
    note: str = "ok: turns that were answered, or interrupted as planned. CLOSE_WAIT: sockets at most / at the end."


@dataclass(frozen=True)
class Judged:
    """One row of what was looked at."""

    badge: Badge
    name: str
    what: str
    details: Sequence[str]
    links: Sequence[Link] = ()


@dataclass(frozen=True)
class Folded:
    """Something for who wants to know more. text: lines of which the columns matter."""

    name: str
    lines: Sequence[str] = ()
    text: str = ""
    table: Table | None = None
    unfolded: bool = False


@dataclass(frozen=True)
class Page:
    """The whole page."""

    title: str
    command: str
    subject: str
    badge: Badge
    headline: str
    verdict: str
    steps: Sequence[Step]
    matrix: Matrix | None = None
    rows: Sequence[Judged] = ()
    found: Sequence[Found] = ()
    sections: Sequence[Section] = ()
    pictures: str = "Each cell in pictures"
    unpictured: str = ""  # why there are no pictures
    claims: Table | None = None
    folded: Sequence[Folded] = ()
    notes: Sequence[str] = ()
    measured: str = "What it was measured on"
