"""A file packed with gzip while it is written, which can be unpacked up to some tenths of a second before a kill."""

from __future__ import annotations

import gzip
import time
from typing import Any

#: Seconds from one flush to the next at least.
_FLUSH = 0.1


class Packed(gzip.GzipFile):
    """What is flushed can be unpacked up to there; the file itself stays open at the end.

    Each flush makes it some bytes larger: there are at most ten a second, and the samples of a run or a watch bring the
    next one soon.
    """

    def __init__(self, file: Any) -> None:
        """file: takes all that is written to it."""
        super().__init__(filename="", mode="wb", fileobj=file, mtime=0)
        self._flushed = 0.0

    def flush(self, *mode: int) -> None:
        if time.monotonic() - self._flushed > _FLUSH:
            super().flush(*mode)
            self._flushed = time.monotonic()
