"""Looks at one process, or it and its descendants, again and again, as cheaply as may be.

An Observer never attaches to, signals, locks or writes to what it looks at, and sends nothing on the wire.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from hermes_diag.core.errors import CannotMeasure
from hermes_diag.core.sockets import LET_GO, SocketRow
from hermes_diag.watch import ports, process, tables
from hermes_diag.watch.descriptors import Descriptors
from hermes_diag.watch.filters import Address
from hermes_diag.watch.host import Host, Table
from hermes_diag.watch.records import Look, Missing, Process

#: Remotes that are remembered, so that a socket whose descriptor was closed is still known to be the process's.
_REMEMBERED = 4096
#: Seconds from one whole look of a watch to the next: it reads the list of descriptors whatever the socket
#: table says, and the sockets in TIME_WAIT, which stay in it for a minute.
WHOLE = 5.0
#: What to do where another source of socket tables sees more.
_CURE = "leave --set backend out" if sys.platform.startswith("linux") else "look on Linux"


@dataclass(frozen=True)
class _Found:
    """What the socket table and the descriptors say together."""

    rows: tuple[SocketRow, ...] = ()
    unowned: tuple[SocketRow, ...] = ()
    listening: frozenset[int] = frozenset()
    closed: tuple[tuple[int, int, int | None], ...] | None = None


class Observer:
    """Looks at process `pid`.

    backend: a name or "auto". children: its descendants too, as of each look. states: only these, none
    means all. wanted: which remotes. portable: ask psutil for what is not a socket, too. host: shared with
    others, whose owner renews it; without one each look reads anew.
    Raises UsageError or CannotMeasure (ended, zombie, kernel thread, not allowed).
    """

    def __init__(
        self,
        pid: int,
        backend: str = "auto",
        children: bool = False,
        states: tuple[str, ...] = (),
        wanted: Callable[[SocketRow], bool] | None = None,
        portable: bool | None = None,
        host: Host | None = None,
    ) -> None:
        self.pid = pid
        self.children = children
        self._portable = portable if portable is not None else backend == "psutil" or not process.LINUX
        process.check(pid, self._portable)
        self._identity = process.identity(pid, self._portable)
        self._backend, self.backend, self.why = tables.pick(pid, backend)
        self._states = states
        self._ports = ports.in_range(pid)
        # A socket in CLOSE is one that is in no table: the whole table is needed. LISTEN tells clients from remotes.
        self._asked = (*states, "LISTEN") if states and "CLOSE" not in states else ()
        self._wanted = wanted
        self._descriptors: dict[int, Descriptors] = {}
        self._remotes: dict[Address, None] = {}
        self._held: dict[int, bool] = {}  # inodes of sockets towards our remotes that are not ours
        self._closed: set[int] = set()  # inodes of sockets known to be in no table
        self._unreadable = 0
        self._whole = 0.0  # when the last whole look was taken
        self._alone = host is None
        self._host = host or Host()
        self._waiting: tuple[SocketRow, ...] = ()  # in TIME_WAIT, as of the last whole look
        self._table = Table([], 0.0)  # of the last look, and what was found in it
        self._found = _Found()

    def is_same(self) -> bool:
        """Whether the PID is still that of the same process. Raises process.Ended."""
        return process.identity(self.pid, self._portable) == self._identity

    def look(self, info: bool = True) -> Look:
        """Look now.

        info: with ages, kinds and fds of sockets. Without it a look is what a watch needs: counts, and
        the rows without their fds. Raises process.Ended or NotAllowed when it can look no more.
        """
        missing: list[Missing] = []
        whole = info or time.monotonic() - self._whole >= WHOLE
        if whole:
            self._whole = time.monotonic()
        if self._alone:
            self._host.renew()
        table = self._ask(self._asked or (() if info else tables.BUT_TIME_WAIT), info)
        at = time.time()
        same = not whole and table.rows == self._table.rows
        if not same:
            self._table = table
        before = self._versions()
        pids = [self.pid, *(process.descendants(self.pid, self._portable) if self.children else ())]
        seen = [one for pid in pids if (one := self._process(pid, info, whole, missing)) is not None]
        self._descriptors = {pid: self._descriptors[pid] for pid in pids if pid in self._descriptors}
        if not same or before != self._versions():
            self._found = self._sort(info, whole)
        found = self._found
        missing += self._columns(info)
        return Look(
            at=at,
            processes=tuple(seen),
            rows=found.rows,
            unowned=found.unowned,
            closed=found.closed,
            listening=found.listening,
            missing=tuple(missing),
            backend=self.backend,
            why=self.why,
            held=tuple(known.holding() for known in self._descriptors.values()) if self._descriptors else None,
            ports=self._ports,
        )

    def _ask(self, states: tuple[str, ...], info: bool) -> Table:
        try:
            return self._host.table(self._backend, states, info, self.pid)
        except (FileNotFoundError, ProcessLookupError):
            raise process.Ended(f"process {self.pid} has ended") from None
        except OSError as exc:
            raise CannotMeasure(
                f"{self.backend} shows no sockets: {exc.strerror or exc}",
                f"try another --set backend, or: {process.more_rights()}",
            ) from None

    def _process(self, pid: int, info: bool, whole: bool, missing: list[Missing]) -> Process | None:
        """One process with its descriptors; None for a child that has ended or may not be read."""
        try:
            if self._portable:
                seen = process.facts(pid, portable=True)
                if not process.LINUX:
                    return seen
                under = process.living(pid).number
            else:
                seen, under = process.facts_under(pid)
            known = self._descriptors.get(pid)
            # The PID of a child may come again, and the thread under whose number /proc shows a process may end.
            if known is None or known.started != seen.started or known.under != under:
                known = self._descriptors[pid] = Descriptors(pid, seen.started, under)
                known.elsewhere = pid != self.pid and process.other_namespace(pid, self.pid)
            known.refresh(self._table.inodes, whole, narrowed=bool(self._states) and "CLOSE" not in self._states)
        except PermissionError:
            if pid == self.pid:
                raise process.not_allowed(pid) from None
            missing.append(Missing(f"child {pid}", "it belongs to another user", process.more_rights()))
            return None
        except (process.Ended, FileNotFoundError, ProcessLookupError):
            self._descriptors.pop(pid, None)
            if pid == self.pid:
                raise process.Ended(f"process {pid} has ended") from None
            return None
        if known.elsewhere:
            why = "it lives in another network namespace"
            missing.append(Missing(f"TCP sockets of process {pid}", why, "look at it by itself"))
        if not info:
            return replace(seen, fds=known.count)
        return replace(seen, fds=known.count, kinds=known.kinds(), sqlite=known.sqlite())

    def _versions(self) -> list[tuple[int, float, int]]:
        return [(pid, known.started, known.version) for pid, known in self._descriptors.items()]

    def _sort(self, info: bool, whole: bool) -> _Found:
        """Whose each row is. Without info a row is left as it is, with its owner or without."""
        table = self._table.rows
        mine, others = self._divide(table, info)
        listening = frozenset(row.local[1] for row in mine if row.state == "LISTEN")
        self._remember(mine, listening)
        unowned = self._narrow(self._unowned(others, listening))
        if info:
            self._waiting = tuple(row for row in unowned if row.state == "TIME_WAIT")
        elif not self._asked:
            # Sockets stay in TIME_WAIT for a minute: between whole looks those of the last whole look are shown.
            if whole:
                let_go, _ = self._sift(self._ask(("TIME_WAIT",), info).rows, listening)
                self._waiting = tuple(self._narrow(let_go))
            unowned += self._waiting
        return _Found(tuple(self._narrow(mine)), tuple(unowned), listening, self._closed_fds(table))

    def _divide(self, table: list[SocketRow], info: bool) -> tuple[list[SocketRow], list[SocketRow]]:
        """Rows of the processes looked at, and all others."""
        if not self._backend.KNOWS_INODES:
            pids = {self.pid, *self._descriptors}
            return [row for row in table if row.pid in pids], [row for row in table if row.pid not in pids]
        if not info:
            ours = set().union(*(known.inodes for known in self._descriptors.values()))
            return [row for row in table if row[5] in ours], [row for row in table if row[5] not in ours]
        owners = {inode: (pid, fd) for pid, known in self._descriptors.items() for inode, fd in known.inodes.items()}
        mine, others = [], []
        for row in table:
            owner = owners.get(row[5]) if row[5] else None
            if owner is None:
                others.append(row)
            else:
                mine.append(row.owned_by(*owner))
        return mine, others

    def _remember(self, mine: list[SocketRow], listening: frozenset[int]) -> None:
        remotes = self._remotes
        for row in mine:
            if row.state != "LISTEN" and row.local[1] not in listening:
                remotes[row.remote] = None
        while len(remotes) > _REMEMBERED:
            del remotes[next(iter(remotes))]

    def _unowned(self, others: list[SocketRow], listening: frozenset[int]) -> list[SocketRow]:
        """Sockets towards the same remotes of which nobody holds a descriptor."""
        let_go, suspects = self._sift(others, listening)
        return let_go + self._held_by_none(suspects)

    def _sift(self, others: list[SocketRow], listening: frozenset[int]) -> tuple[list[SocketRow], list[SocketRow]]:
        """Sockets towards the same remotes that have been let go of, and those that somebody may hold."""
        remotes = self._remotes
        let_go, suspects = [], []
        for row in others:
            if row.state in LET_GO and row.inode is None and row.pid is None:
                if row.remote in remotes or row.local[1] in listening:
                    let_go.append(row)
            elif row.remote in remotes and row.pid is None:
                suspects.append(row)
        return let_go, suspects

    def _held_by_none(self, suspects: list[SocketRow]) -> list[SocketRow]:
        if not self._backend.KNOWS_INODES:
            # psutil has searched all processes, of which only root may read all.
            return suspects if os.geteuid() == 0 else []
        inodes = {row.inode for row in suspects if row.inode is not None}
        self._held = {inode: held for inode, held in self._held.items() if inode in inodes}
        new = inodes - self._held.keys()
        if new:
            lost, unreadable = self._host.unheld(self._backend, self.pid, new, self._table.at)
            for row in suspects:
                if row.inode in new:
                    # A socket of this user is as a rule held by a process of this user, which may be read.
                    certain = not unreadable or row.uid == os.geteuid()
                    self._held[row.inode] = row.inode not in lost or not certain
                    if row.inode in lost and not certain:
                        self._unreadable = unreadable
        return [row for row in suspects if row.inode is not None and not self._held[row.inode]]

    def _closed_fds(self, table: list[SocketRow]) -> tuple[tuple[int, int, int | None], ...] | None:
        """(pid, fd, inode) of TCP sockets that exist only as an fd; None when that cannot be seen."""
        if self._states and "CLOSE" not in self._states:
            return ()
        if not process.LINUX:
            closed = [row for row in table if row.state == "CLOSE" and row.pid == self.pid]
            return tuple((self.pid, row.fd, None) for row in closed if row.fd is not None) or None
        found = [
            (pid, fd, inode)
            for pid, known in self._descriptors.items()
            for fd, inode in ({} if known.elsewhere else known.closed()).items()
        ]
        new = {inode for _, _, inode in found} - self._closed
        if new:
            # A socket that was opened after the table was read is not in it either.
            new -= tables.inodes(self._backend, self.pid)
        self._closed = {inode for _, _, inode in found if inode in new or inode in self._closed}
        return tuple(one for one in found if one[2] in self._closed)

    def _narrow(self, rows: list[SocketRow]) -> list[SocketRow]:
        states, wanted = self._states, self._wanted
        if states:
            rows = [row for row in rows if row.state in states]
        return rows if wanted is None else [row for row in rows if wanted(row)]

    def _columns(self, info: bool) -> list[Missing]:
        """What this backend or this system cannot show of a socket."""
        missing = []
        if self._found.closed is None:
            missing.append(Missing("sockets in state CLOSE", "they are in no table", "look on Linux"))
        if not process.LINUX:
            missing.append(Missing("kinds of descriptors", "this system does not name them", "look on Linux"))
        if self.backend == "psutil":
            missing.append(
                Missing("queues, timers, ages, round trips", f"psutil does not know them ({self.why})", _CURE)
            )
            if os.geteuid() != 0:
                missing.append(
                    Missing("ESTABLISHED without an owner", "psutil needs root to tell", process.more_rights())
                )
        elif self.backend == "proc_net" and info:
            asked = self.why == "asked for"
            why = "/proc/PID/net/tcp does not have them" + ("" if asked else f" ({self.why})")
            cure = _CURE if asked else f"sudo nsenter -t {self.pid} -n {process.ourselves()} sockets {self.pid}"
            missing.append(Missing("ages, round trips, memory", why, cure))
        if self._unreadable:
            why = f"processes that may not be read, at least {self._unreadable}, might hold them"
            missing.append(Missing("some sockets without an owner", why, process.more_rights()))
        return missing
