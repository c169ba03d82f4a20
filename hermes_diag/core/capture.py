"""The capture file: what was seen, written as it happens, so that after a kill at any byte it can still be read.

JSON Lines, packed with gzip where the name ends in .gz. Line one is
`{"record": "capture", "schema": 4, "kind": KIND, "release": ..., ...what was asked for...}`; each further line is one
record, `{"record": NAME, ...fields...}`. docs/captures.md has every kind and every field.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import msgspec

from hermes_diag import __version__
from hermes_diag.core.errors import UsageError
from hermes_diag.core.escape import json_bytes
from hermes_diag.core.new_file import put
from hermes_diag.core.text import quoted

SCHEMA = 4
#: The two kinds of files that were written before schema 4: (record of line one, schema) -> kind.
_EARLIER = {("capture", 2): "run", ("watch", 3): "watch"}
_PACKED = b"\x1f\x8b"
_CHUNK = 1 << 18
#: Bytes of a line at most: a record is never as long.
_LONGEST = 1 << 26

#: What a line raises that is no record.
NO_RECORD = (msgspec.MsgspecError, KeyError, TypeError, AttributeError, UnicodeDecodeError, RecursionError)


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


class Reader:
    """A capture being read: its first line at once, its records as they are asked for.

    Raises UsageError for what is no capture, and for a line that was changed. Half a last line of a killed run is
    left out. What a later release has written beside what this one knows is left out, and `notes` says so.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = lines(path)
        first = next(self._lines, None)
        self.head = _head(path, b"" if first is None else first)
        self.kind = str(self.head["kind"])
        self.release = str(self.head.get("release", ""))
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
        if self.head.get(name) is None:
            return None
        try:
            found = msgspec.convert(self.head[name], kind, str_keys=True)
        except (msgspec.ValidationError, UsageError) as exc:
            raise self.changed(1, str(exc)) from None
        if unknown := _unknown(self.head[name], msgspec.to_builtins(found, str_keys=True)):
            if not self.later:
                raise self.changed(1, f"a {name} has no {quoted(unknown)}")
            self._unknown[f"{name} {quoted(unknown)}"] += 1
        return found

    def records(self, kinds: Mapping[str, Any]) -> Iterator[tuple[int, Any, dict[str, Any]]]:
        """(line number, record, the fields of its line) of each record of one of these kinds, by name."""
        for number, line in enumerate(self._lines, start=2):
            try:
                fields = msgspec.json.decode(line)
                name = fields["record"]
                if name not in kinds:
                    self._unknown[f"record {quoted(str(name))}"] += 1
                    continue
                yield number, msgspec.convert(fields, kinds[name], str_keys=True), fields
            except NO_RECORD as exc:
                why = str(exc) if isinstance(exc, msgspec.ValidationError) else "not a record"
                raise self.changed(number, why) from None

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


def lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file, unpacked, without their ends. Raises UsageError."""
    rest = b""
    for data in _unpacked(path):
        whole = (rest + data).split(b"\n")
        rest = whole.pop()
        if len(rest) > _LONGEST:
            raise _no_capture(path)
        yield from whole


def _unpacked(path: Path) -> Iterator[bytes]:
    """The content in pieces. Of a packed file that was cut: all that can be unpacked."""
    try:
        with open(path, "rb") as file:
            data = file.read(_CHUNK)
            if not data.startswith(_PACKED):
                while data:
                    yield data
                    data = file.read(_CHUNK)
                return
            unpack = zlib.decompressobj(wbits=31)
            while data:
                yield unpack.decompress(data)
                data = unpack.unused_data or file.read(_CHUNK)
                if unpack.eof:  # another file was appended
                    unpack = zlib.decompressobj(wbits=31)
    except OSError as exc:
        raise UsageError(f"cannot read {path}: {exc.strerror}", "name a file written by --save") from None
    except zlib.error:
        raise UsageError(f"{path} cannot be unpacked", "the file was changed after it was written") from None


def _head(path: Path, line: bytes) -> dict[str, Any]:
    """Line one, also of a file that an earlier release wrote, with the kind of the capture."""
    if not line:
        start = next(_unpacked(path), b"")
        packed = not start and path.stat().st_size
        if not start and not packed:
            raise UsageError(f"{path} is empty", "name a file written by --save")
        if packed or start.startswith((b'{"record":"capture"', b'{"record":"watch"')):
            raise UsageError(f"{path} is cut off within its first line", "run again: it has no results")
        raise _no_capture(path)
    try:
        head = msgspec.json.decode(line)
        name, schema = head["record"], head["schema"]
    except NO_RECORD:
        raise _no_capture(path) from None
    if (name, schema) in _EARLIER:
        return {"kind": _EARLIER[name, schema], **head}
    if name not in ("capture", "watch"):
        raise _no_capture(path)
    if schema != SCHEMA or not isinstance(head.get("kind"), str):
        raise UsageError(
            f"{path} has schema {str(schema)[:20]}, this hermes-diag reads {SCHEMA} and earlier",
            "use the release that wrote it, or run again",
        )
    return dict(head)


def _no_capture(path: Path) -> UsageError:
    return UsageError(f"{path} is no capture of hermes-diag", "name a file written by --save")


def _number(release: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", release)[:3]))


def _unknown(given: Any, known: Any) -> str:
    """The first key for which a type has no field, at whatever depth; "" when there is none."""
    if isinstance(given, dict) and isinstance(known, dict):
        below = (_unknown(value, known[key]) for key, value in given.items() if key in known)
        return next((key for key in given if key not in known), "") or next(filter(None, below), "")
    if isinstance(given, list) and isinstance(known, (list, tuple)):
        return next(filter(None, map(_unknown, given, known)), "")
    return ""
