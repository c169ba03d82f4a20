"""Report files: known to be writable before a run, and whole or as they were after it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from hermes_diag.core.errors import UsageError


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
    """A file that a report will replace. Raises UsageError if it cannot be written; nothing of it stays until then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._whole = Path(os.path.realpath(path))  # what a link leads to is replaced, not the link
        self._draft = self._whole.with_name(f".{self._whole.name}.{os.getpid()}.part")
        try:
            self._special = self._whole.exists() and not self._whole.is_file()
            if self._whole.is_dir():
                raise UsageError(f"{path} is a directory", "name a file in it")
            if self._whole.exists():
                self._whole.open("ab").close()  # a read-only file is meant to stay
            if not self._special:
                self._draft.open("xb").close()
                self._draft.unlink()
        except OSError as exc:
            cure = "name a file in a folder you may write to"
            raise UsageError(f"cannot write {path}: {exc.strerror}", cure) from None

    def write(self, data: bytes) -> str:
        """Write it; what to say of it, be it that it could not be written."""
        try:
            if self._special:
                self._whole.write_bytes(data)
            else:
                self._draft.write_bytes(data)
                os.replace(self._draft, self._whole)
        except OSError as exc:
            with contextlib.suppress(OSError):
                self._draft.unlink()
            return f"could not be saved to {self.path}: {exc.strerror}"
        return f"saved to {self.path}"
