"""What the host shows at one moment, read once for all who look: its socket tables, and which sockets anybody holds.

Forty processes of one host are in one socket table. To read it for each anew would cost forty times as much, and to
find the holder of a socket means a look at every descriptor of the host.
"""

from __future__ import annotations

import time
from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

from hermes_diag.core.sockets import SocketRow
from hermes_diag.watch import tables
from hermes_diag.watch.descriptors import holders

#: How many rows of sockets that have changed or gone are kept at most, beyond the number of sockets now.
_STALE = 1000


@dataclass(frozen=True)
class Table:
    """A socket table, and when it had been read (of the monotonic clock)."""

    rows: list[SocketRow]
    at: float

    @cached_property
    def inodes(self) -> frozenset[int]:
        return frozenset(row[5] for row in self.rows if row[5])


@dataclass(frozen=True)
class _Search:
    """Inodes of all sockets that some process held, how many processes could not be read, and when it began."""

    held: set[int]
    unreadable: int
    at: float


class Host:
    """Remembers what was read until `renew`."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...], dict[bytes, SocketRow]] = {}  # rows by the states that were asked for
        self._tables: dict[Any, Table] = {}
        self._search: _Search | None = None
        self._still: dict[Any, Set[int | None]] = {}  # inodes that were in a table after the search

    def renew(self) -> None:
        """A new moment: what was read before is of an earlier one."""
        self._tables.clear()
        self._still.clear()
        self._search = None

    def table(self, backend: ModuleType, states: tuple[str, ...], info: bool, pid: int) -> Table:
        """The table in which the sockets of that process are, as a backend of `tables` shows it. Raises OSError."""
        key = (_of(backend, pid), states, info)
        if key not in self._tables:
            # Rows that have not changed are the same objects: comparing an unchanged table takes little time. Those in
            # TIME_WAIT are soon others, and may be more than all the rest.
            kept = None if info or states == ("TIME_WAIT",) else self._kept.setdefault(states, {})
            rows = backend.table(states, info=info, pid=pid, known=kept)
            if kept is not None and len(kept) > 2 * len(rows) + _STALE:
                kept.clear()
            self._tables[key] = Table(rows, time.monotonic())
        return self._tables[key]

    def unheld(self, backend: ModuleType, pid: int, inodes: Set[int], since: float) -> tuple[Set[int], int]:
        """Which of these sockets, in a table of that time, nobody holds, and how many processes could not be read."""
        if self._search is None or self._search.at < since:
            begun = time.monotonic()
            self._search = _Search(*holders(), begun)
            self._still.clear()
        lost = inodes - self._search.held
        key = _of(backend, pid)
        if lost and key not in self._still:
            # Between the table and the search a socket may have been closed: then it is gone now.
            self._still[key] = tables.inodes(backend, pid)
        return (lost & self._still[key] if lost else lost), self._search.unreadable


def _of(backend: ModuleType, pid: int) -> tuple[str, int | None]:
    """Whose table it is: of the host, or of the network namespace of a process."""
    return backend.__name__, None if backend.FOR_ALL else pid
