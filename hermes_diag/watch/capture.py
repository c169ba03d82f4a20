"""A watch to and from JSON Lines, written as it happens, so that a killed watch can still be read.

Line one is `{"record": "watch", "schema": 3, ...what is watched...}`, each further line one sample,
`{"record": "sample", ...}`; the last ones say why the watch ended, unless it was killed, what was found of each
condition, and which lines opened what stayed.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

import msgspec

from hermes_diag.core import jsonl
from hermes_diag.core.errors import UsageError
from hermes_diag.watch.records import Ended, Held, Place, Summary, Tick, Watched
from hermes_diag.watch.timeline import Timeline

SCHEMA = 3
KIND = "watch"

_KINDS: dict[str, type] = {"sample": Tick, "ended": Ended, "condition": Held, "place": Place}
_NAMES = {kind: name for name, kind in _KINDS.items()}


class WatchCapture(jsonl.Writer):
    """A capture of a watch being written."""

    def __init__(self, file: IO[bytes], watched: Watched) -> None:
        super().__init__(file)
        self.put({"record": KIND, "schema": SCHEMA, "watched": watched})

    def write(self, record: Tick | Ended | Held | Place) -> None:
        """Append one record."""
        self.put({"record": _NAMES[type(record)], **msgspec.to_builtins(record)})

    def end(self, ended: Ended, summary: Summary) -> None:
        """Append why the watch ended, and what was found."""
        self.write(ended)
        for held in summary.conditions:
            self.write(held)
        for place in summary.places:
            self.write(place)


def is_watch(path: Path) -> bool:
    """Whether the first line of a file says that it is the capture of a watch."""
    try:
        with open(path, "rb") as file:
            head = msgspec.json.decode(file.readline(1 << 20))
    except (OSError, *jsonl.NO_RECORD):
        return False  # the reader of captures of runs says what is wrong with it
    return isinstance(head, dict) and head.get("record") == KIND


def read(path: Path) -> tuple[Timeline, Ended]:
    """A capture as (its samples gathered, why it ended). Half a last line is left out. Raises UsageError."""
    try:
        with open(path, "rb") as file:
            timeline, ended = _begin(path, file.readline()), Ended("cut", "the capture ends before the watch did")
            for number, line in enumerate(file, start=2):
                if line.endswith(b"\n"):
                    record, _ = jsonl.decode(path, number, line, _KINDS)
                    if isinstance(record, Ended):
                        ended = record
                    elif isinstance(record, Place):
                        timeline.places.append(record)
                    elif isinstance(record, Held):
                        timeline.held[record.condition] = record
                    elif timeline.last is not None and record.at <= timeline.last.at:
                        raise jsonl.changed(path, number, "its time is not after that of the line before")
                    else:
                        timeline.add(record)
    except OSError as exc:
        raise UsageError(f"cannot read {path}: {exc.strerror}", "name a file written by --save") from None
    return timeline, ended


def _begin(path: Path, line: bytes) -> Timeline:
    head = msgspec.json.decode(line)
    if head.get("schema") != SCHEMA:
        raise UsageError(
            f"{path} has schema {str(head.get('schema'))[:20]}, this hermes-diag reads {SCHEMA}",
            "use the release that wrote it, or watch again",
        )
    try:
        return Timeline(msgspec.convert(head.get("watched"), Watched), drawn=True)
    except (msgspec.ValidationError, UsageError) as exc:
        raise jsonl.changed(path, 1, str(exc)) from None
