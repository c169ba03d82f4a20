"""Report files: known to be writable before a run, and whole or as they were after it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from hermes_diag.core import new_file
from hermes_diag.core.errors import UsageError
from hermes_diag.core.new_file import Written


def refuse_same_files(given: Iterable[tuple[str, Path | None]]) -> None:
    """Two options may not name one file: the second would end the first. Raises UsageError."""
    seen: dict[str, str] = {}
    for option, path in given:
        if path is None or (os.path.exists(path) and not os.path.isfile(path)):
            continue
        whole = os.path.realpath(path)
        if whole in seen:
            raise UsageError(f"{seen[whole]} and {option} name one file: {path}", "give each a file of its own")
        seen[whole] = option


class ReportFile:
    """A file that a report will replace. Nothing of it is there until it is written.

    Raises UsageError or CannotMeasure if it cannot be written; of a pipe, if nobody reads it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._whole = Path(os.path.realpath(path))  # what a link leads to is replaced, not the link
        self._open = ExitStack()
        try:
            # A pipe stays open from now on: its reader would take a second opening for another file.
            self._special = self._open.enter_context(new_file.special(path)) if new_file.is_special(path) else None
            if self._special is None:
                new_file.refuse_read_only(self._whole)
                with contextlib.suppress(_Tried), new_file.beside(self._whole):
                    raise _Tried
        except OSError as exc:
            raise new_file.refused(path, exc) from None

    def write(self, data: bytes) -> Written:
        """Write it; what became of it. Where it cannot be written no earlier one stays, which would be taken for it."""
        try:
            with self._open:
                if self._special is not None:
                    new_file.put(self._special, data)
                else:
                    new_file.replace(self._whole, data)
        except OSError as exc:
            why = exc.strerror or type(exc).__name__
            if self._special is None:
                with contextlib.suppress(OSError):
                    self._whole.unlink()
                    why += "; the earlier one was removed"
            return new_file.written(self.path, why)
        return new_file.written(self.path)


class _Tried(Exception):
    """It can be made: that was all that was to be known."""
