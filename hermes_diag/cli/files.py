"""Report files: known to be writable before a run, and whole or as they were after it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType

from hermes_diag.errors import UsageError


class ReportFile:
    """A file that a report will replace. Context manager; entering it raises UsageError if it cannot be written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._whole = Path(os.path.realpath(path))  # what a link leads to is replaced, not the link
        self._draft = self._whole.with_name(f".{self._whole.name}.{os.getpid()}.part")

    def __enter__(self) -> ReportFile:
        if self._whole.is_dir():
            raise UsageError(f"{self.path} is a directory", "name a file in it")
        try:
            if self._is_special():
                self._whole.open("ab").close()
            else:
                self._draft.open("xb").close()
                if self._whole.exists():
                    self._whole.open("ab").close()  # a read-only file is meant to stay
        except OSError as exc:
            self.__exit__()
            cure = "name a file in a folder you may write to"
            raise UsageError(f"cannot write {self.path}: {exc.strerror}", cure) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        exc: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._draft.unlink(missing_ok=True)

    def _is_special(self) -> bool:
        return self._whole.exists() and not self._whole.is_file()

    def write(self, text: str) -> str:
        """Write it; what to say of it, be it that it could not be written."""
        data = text.encode("utf-8", "backslashreplace")
        try:
            if self._is_special():
                self._whole.write_bytes(data)
            else:
                self._draft.write_bytes(data)
                os.replace(self._draft, self._whole)
        except OSError as exc:
            return f"{self.path} could not be written: {exc.strerror}"
        return f"written: {self.path}"
