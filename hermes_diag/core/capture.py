"""The capture file: what was seen, written as it happens, so that after a kill at any byte it can still be read.

JSON Lines, packed with gzip where the name ends in .gz. Line one is
`{"record": "capture", "schema": 4, "kind": KIND, "release": ..., ...what was asked for...}`; each further line is one
record, `{"record": NAME, ...fields...}`. docs/captures.md has every kind and every field.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import msgspec

from hermes_diag import __version__
from hermes_diag.core import bounds, reading
from hermes_diag.core.errors import UsageError
from hermes_diag.core.escape import json_bytes
from hermes_diag.core.facts import FACTS
from hermes_diag.core.new_file import put
from hermes_diag.core.packed_lines import Lines
from hermes_diag.core.text import quoted
from hermes_diag.worker.contract import Fact

SCHEMA = 4
#: The two kinds of files that were written before schema 4: (record of line one, schema) -> kind.
_EARLIER = {("capture", 2): "run", ("watch", 3): "watch"}
#: Values in one line at most: those of a look at 60,000 sockets.
VALUES = 1_000_000


# --- writing -----------------------------------------------------------------------------------------


class Writer:
    """Writes one record a line; each line is in the file at once.

    When the disk gives out, writing ends and `failure` says why; whoever writes goes on.
    """

    def __init__(self, file: IO[bytes], kind: str, **asked: Any) -> None:
        """asked: what the first line says of the run, by name."""
        self.failure = ""
        self._file = file
        self._put({"record": "capture", "schema": SCHEMA, "kind": kind, "release": __version__, **asked})

    def put(self, name: str, record: Any, **more: Any) -> None:
        """Append a record, a dataclass, under a name. more: fields that come before its own."""
        self._put({"record": name, **more, **vars(record)})

    def _put(self, line: dict[str, Any]) -> None:
        if self.failure:
            return
        data = json_bytes(line) + b"\n"
        try:
            put(self._file, data)
            self._file.flush()
        except OSError as exc:
            self.failure = exc.strerror or type(exc).__name__


# --- reading -----------------------------------------------------------------------------------------


_NOTHING = msgspec.Raw(b"null")


class _Head(msgspec.Struct):
    """What every first line has, and what some have, as it stands there."""

    record: str
    schema: int
    kind: str = ""
    release: str = ""
    group_by: str = ""
    plan: msgspec.Raw = _NOTHING
    watched: msgspec.Raw = _NOTHING
    check: msgspec.Raw = _NOTHING
    before: msgspec.Raw = _NOTHING


class Of(msgspec.Struct):
    """What a record is, and of a run whose it is. before: of a baseline."""

    record: str
    cell: str | None = None
    before: bool | None = None


class _Said(msgspec.Struct):
    """A fact whose value is not read yet."""

    name: str
    value: msgspec.Raw


class Reader:
    """A capture being read: its first line at once, its records as they are asked for.

    What it hands out is as its type says, and within bounds (bounds.py): nobody further on has to look again. Raises
    UsageError for what is no capture, and for a line that was changed. Half a last line of a killed run is left out.
    What a later release has written beside what this one knows is left out, and `notes` says so.
    """

    def __init__(self, path: Path, keep: bool = False) -> None:
        """keep: `file.kept` has all lines that were read."""
        self.path = path
        self.file = Lines(path, keep=keep)
        self._lines = iter(self.file)
        self._head = _first(self.file, next(self._lines, b""))
        self.kind = self._head.kind
        self.schema = self._head.schema
        self.release = self._head.release
        self.group_by = self._head.group_by
        self._unknown: Counter[str] = Counter()
        self._remarks: list[str] = []

    @property
    def later(self) -> bool:
        """Whether a later release than this one wrote it."""
        return _number(self.release) > _number(__version__)

    def asked(self, name: str, kind: Any) -> Any:
        """What the first line says under a name, as that type; None where it says nothing.

        A key that the type has not is refused, since a misspelt condition would be none, unless a later release wrote
        it.
        """
        raw: msgspec.Raw = getattr(self._head, name)
        if bytes(raw) == b"null":
            return None
        try:
            return bounds.decoded(kind, raw, exact=True)
        except bounds.NOT_OF_ITS_TYPE as exc:
            unknown = _UNKNOWN.fullmatch(str(exc))
            if unknown is None:
                raise self.changed(1, _why(exc)) from None
            if not self.later:
                raise self.changed(1, f"a {name} has no {quoted(unknown[1])}{unknown[2]}") from None
            self._unknown[f"{name} {quoted(unknown[1])}"] += 1
        return self._decoded(1, kind, raw)

    def records(self, kinds: Mapping[str, Any]) -> Iterator[tuple[int, Any, Of]]:
        """(line number, record, whose it is) of each record of one of these kinds, by name."""
        for number, line in enumerate(self._lines, start=2):
            if len(line) > reading.MIB and reading.is_crowded(line, VALUES):
                raise self.changed(number, f"more than {VALUES:,} values")
            try:
                of = _OF.decode(line)
                known = of.record in kinds
                said = _SAID.decode(line) if known and kinds[of.record] is Fact else None
            except bounds.NOT_OF_ITS_TYPE as exc:
                no_object = str(exc).startswith("Expected `object`")
                raise self.changed(number, "not a record" if no_object else _why(exc)) from None
            if not known:
                self._leave_out("record", of.record)
            elif said is None:
                yield number, self._decoded(number, kinds[of.record], line), of
            elif said.name in FACTS:
                value = self._decoded(number, FACTS[said.name], said.value, f"{said.name}: ")
                yield number, Fact(said.name, value), of
            else:
                self._leave_out("fact", said.name)

    def _decoded(self, number: int, kind: Any, raw: bytes | msgspec.Raw, what: str = "") -> Any:
        try:
            return bounds.decoded(kind, raw)
        except bounds.NOT_OF_ITS_TYPE as exc:
            raise self.changed(number, f"{what}{_why(exc)}") from None

    def _leave_out(self, what: str, name: str) -> None:
        if len(self._unknown) < _NAMED or f"{what} {quoted(name)}" in self._unknown:
            self._unknown[f"{what} {quoted(name)}"] += 1
        else:
            self._unknown["further ones"] += 1

    def changed(self, number: int, why: str) -> UsageError:
        """The error of a line that is not as it was written."""
        return UsageError(f"{self.path} line {number}: {why}", "the file was changed after it was written")

    def remark(self, text: str) -> None:
        """Something that is to be said of the file."""
        self._remarks.append(f"{self.path} {text}")

    def notes(self) -> list[str]:
        """What is to be said of the file, once all has been read: what was left out, too."""
        if not self._unknown:
            return self._remarks
        by = f"hermes-diag {self.release}" if self.later else "another release of hermes-diag"
        named = ", ".join(f"{count:,} of {name}" for name, count in self._unknown.most_common(5))
        left_out = f"{self.path}: written by {by}; this one does not know, and left out: {named}"
        return [*self._remarks, left_out]


_HEAD, _OF, _SAID = msgspec.json.Decoder(_Head), msgspec.json.Decoder(Of), msgspec.json.Decoder(_Said)
#: What msgspec says of a key that a type has not, and where that was, "" at the top.
_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`((?: - at `[^`]*`)?)", re.DOTALL)
#: Names of what was left out that are told apart.
_NAMED = 50


def _why(exc: Exception) -> str:
    """What is wrong with a line, with the field: `Expected `int`, got `str` - at `$.turns``."""
    if isinstance(exc, msgspec.ValidationError):
        return str(exc)
    return "nested too deeply" if isinstance(exc, RecursionError) else "not a record"


def _first(file: Lines, line: bytes) -> _Head:
    """Line one, also of a file that an earlier release wrote, with the kind of the capture."""
    path = file.path
    if not line:
        if not file.start and not file.packed:
            raise UsageError(f"{path} is empty", "name a file written by --save")
        if not file.start or file.start.startswith((b'{"record":"capture"', b'{"record":"watch"')):
            raise UsageError(f"{path} is cut off within its first line", "run again: it has no results")
        raise _no_capture(path)
    try:
        head = _HEAD.decode(line)
    except bounds.NOT_OF_ITS_TYPE:
        raise _no_capture(path) from None
    if (head.record, head.schema) in _EARLIER:
        head.kind = _EARLIER[head.record, head.schema]
        return head
    if head.record not in ("capture", "watch"):
        raise _no_capture(path)
    if head.schema != SCHEMA or not head.kind:
        raise UsageError(
            f"{path} has schema {str(head.schema)[:20]}, this hermes-diag reads {SCHEMA} and earlier",
            "use the release that wrote it, or run again",
        )
    return head


def _no_capture(path: Path) -> UsageError:
    return UsageError(f"{path} is no capture of hermes-diag", "name a file written by --save")


def _number(release: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"[0-9]{1,9}", release[:100])[:3]))
