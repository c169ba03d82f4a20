"""Looks at one process, or it and its descendants, again and again, as cheaply as may be.

An Eye never attaches to, signals, locks or writes to what it looks at, and sends nothing on the wire.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from types import ModuleType

from hermes_diag.endpoints import STATES, Address
from hermes_diag.errors import CannotMeasure
from hermes_diag.looks import Look, Missing, Process
from hermes_diag.sampling import process
from hermes_diag.sampling.descriptors import Descriptors, holders
from hermes_diag.tcp import SocketRow

#: Backends in the order in which auto tries them; the third is for another network namespace.
BACKENDS = {"sock_diag": "sock_diag", "psutil": "psutil_table", "proc_net": "proc_net"}

#: States that a socket passes through after its owner has let go of it.
_LET_GO = frozenset({"TIME_WAIT", "FIN_WAIT1", "FIN_WAIT2", "CLOSING", "LAST_ACK"})

_BUT_TIME_WAIT = tuple(state for state in STATES if state not in ("TIME_WAIT", "CLOSE"))

#: Remotes of the past that are remembered, so that what outlives its descriptor is still attributed.
_REMEMBERED = 4096

#: Seconds after which a cheap look reads the list of descriptors whatever the socket table says.
_FULL_READ = 5.0


def pick(pid: int, name: str = "auto") -> tuple[ModuleType, str]:
    """The backend of that name or the best for this process, and why. Raises CannotMeasure."""
    if name != "auto":
        backend = load(name)
        why = backend.available()
        if why:
            raise CannotMeasure(f"--backend {name}: {why}", "leave --backend to auto, or use --backend psutil")
        if name != "proc_net" and process.other_namespace(pid):
            raise CannotMeasure(
                f"--backend {name}: process {pid} lives in another network namespace, which it cannot see",
                "leave --backend to auto, or use --backend proc_net",
            )
        return backend, "asked for"
    if process.other_namespace(pid):
        return load("proc_net"), "the process lives in another network namespace"
    fast = load("sock_diag")
    why = fast.available()
    return (load("psutil"), why) if why else (fast, "the fastest here")


def load(name: str) -> ModuleType:
    """A backend by name; psutil is only imported when it is wanted."""
    return import_module(f"hermes_diag.sampling.backends.{BACKENDS[name]}")


class Eye:
    """Looks at process `pid`.

    backend: a name or "auto". children: its descendants too, as of each look. states: only these, none
    means all. wanted: which remotes. portable: ask psutil for what is not a socket, too.
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
    ) -> None:
        self.pid = pid
        self.children = children
        self._portable = portable if portable is not None else backend == "psutil" or not process.LINUX
        process.check(pid, self._portable)
        self._identity = process.identity(pid, self._portable)
        self._backend, self.why = pick(pid, backend)
        self.backend = next(name for name, module in BACKENDS.items() if self._backend.__name__.endswith(module))
        self._states = states
        self._wanted = wanted
        self._descriptors: dict[int, Descriptors] = {}
        self._remotes: dict[Address, None] = {}
        self._held: dict[int, bool] = {}  # inodes of sockets towards our remotes that are not ours
        self._closed: set[int] = set()  # inodes of sockets known to be in no table
        self._listed = 0.0
        self._waiting: list[SocketRow] = []
        self._rows: dict[bytes, SocketRow] = {}  # those of the last cheap look
        self._unreadable = 0

    def is_same(self) -> bool:
        """Whether the PID still belongs to the process it belonged to at first. Raises process.Ended."""
        return process.identity(self.pid, self._portable) == self._identity

    def look(self, info: bool = True) -> Look:
        """Look now.

        info: with ages, kinds and fds of sockets. Without it a look is what a watch needs: counts, and
        the rows without their fds. Raises process.Ended or NotAllowed when it can look no more.
        """
        missing: list[Missing] = []
        whole = info or self._is_time()
        table = self._table(info, whole)
        at = time.time()
        pids = [self.pid, *(process.descendants(self.pid, self._portable) if self.children else ())]
        inodes = {row[5] for row in table if row[5]} if self._backend.KNOWS_INODES else set()
        seen = [one for pid in pids if (one := self._process(pid, inodes, info, whole, missing)) is not None]
        self._descriptors = {pid: self._descriptors[pid] for pid in pids if pid in self._descriptors}
        mine, others = self._divide(table, info)
        listening = frozenset(row.local[1] for row in mine if row.state == "LISTEN")
        unowned = self._unowned(mine, others, listening)
        self._waiting = [row for row in unowned if row.state == "TIME_WAIT"]
        closed = self._closed_fds(table)
        if closed is None:
            missing.append(Missing("sockets in state CLOSE", "they are in no table", "look on Linux"))
        if self._portable and process.LINUX is False:
            missing.append(Missing("kinds of descriptors", "this system does not name them", "look on Linux"))
        missing += self._columns(info)
        return Look(
            at=at,
            processes=tuple(seen),
            rows=tuple(self._narrow(mine)),
            unowned=tuple(self._narrow(unowned)),
            closed=closed,
            listening=listening,
            missing=tuple(missing),
            backend=self.backend,
            why=self.why,
        )

    # --- the parts of a look ---------------------------------------------------------------------

    def _table(self, info: bool, whole: bool) -> list[SocketRow]:
        """All rows that are needed. Sockets in TIME_WAIT, of which a busy host has more than of all
        others, stay in it for a minute: between two whole looks those of the last one are as good."""
        if whole or self._states:
            return self._ask(self._states, info)
        return self._ask(_BUT_TIME_WAIT, info) + self._waiting

    def _ask(self, states: tuple[str, ...], info: bool) -> list[SocketRow]:
        if "CLOSE" in states:
            states = ()  # a socket in CLOSE is one that is in no table: all of it is needed
        elif states:
            states = (*states, "LISTEN")  # to tell clients from remotes
        try:
            rows: list[SocketRow] = self._backend.table(
                states, info=info, pid=self.pid, known=None if info else self._rows
            )
        except (FileNotFoundError, ProcessLookupError):
            raise process.Ended(f"process {self.pid} has ended") from None
        except OSError as exc:
            raise CannotMeasure(
                f"{self.backend} shows no sockets: {exc.strerror or exc}",
                f"try another --backend, or: {process.more_rights()}",
            ) from None
        return rows

    def _process(self, pid: int, inodes: set[int], info: bool, whole: bool, missing: list[Missing]) -> Process | None:
        """One process with its descriptors; None for a child that has ended or may not be read."""
        try:
            seen = process.facts(pid, self._portable)
            if not process.LINUX:
                return seen
            known = self._descriptors.get(pid)
            if known is None or known.started != seen.started:  # the PID of a child may come again
                known = self._descriptors[pid] = Descriptors(pid, seen.started)
            known.refresh(inodes, whole, narrowed=bool(self._states) and "CLOSE" not in self._states)
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
        if not info:
            return replace(seen, fds=known.count)
        return replace(seen, fds=known.count, kinds=known.kinds(), sqlite=known.sqlite())

    def _is_time(self) -> bool:
        now = time.monotonic()
        if now - self._listed < _FULL_READ:
            return False
        self._listed = now
        return True

    def _divide(self, table: list[SocketRow], info: bool) -> tuple[list[SocketRow], list[SocketRow]]:
        """Rows of the processes looked at, and all others."""
        if not self._backend.KNOWS_INODES:
            pids = {self.pid, *self._descriptors}
            return [row for row in table if row.pid in pids], [row for row in table if row.pid not in pids]
        owners = {inode: (pid, fd) for pid, known in self._descriptors.items() for inode, fd in known.inodes.items()}
        if len(self._descriptors) == 1 and not info:
            return [row for row in table if row[5] in owners], [row for row in table if row[5] not in owners]
        mine, others = [], []
        for row in table:
            owner = owners.get(row[5]) if row[5] else None
            if owner is None:
                others.append(row)
            else:
                mine.append(row.owned_by(*owner))
        return mine, others

    def _unowned(self, mine: list[SocketRow], others: list[SocketRow], listening: frozenset[int]) -> list[SocketRow]:
        """Sockets towards the same remotes of which nobody holds a descriptor."""
        remotes = self._remotes
        for row in mine:
            if row.state != "LISTEN" and row.local[1] not in listening:
                remotes[row.remote] = None
        while len(remotes) > _REMEMBERED:
            del remotes[next(iter(remotes))]
        let_go, suspects = [], []
        for row in others:
            if row.state in _LET_GO and row.inode is None and row.pid is None:
                if row.remote in remotes or row.local[1] in listening:
                    let_go.append(row)
            elif row.remote in remotes and row.pid is None:
                suspects.append(row)
        return let_go + self._held_by_none(suspects)

    def _held_by_none(self, suspects: list[SocketRow]) -> list[SocketRow]:
        if not self._backend.KNOWS_INODES:
            # psutil has searched all processes, of which only root may read all.
            return suspects if not hasattr(os, "geteuid") or os.geteuid() == 0 else []
        inodes = {row.inode for row in suspects if row.inode is not None}
        self._held = {inode: held for inode, held in self._held.items() if inode in inodes}
        new = inodes - self._held.keys()
        if new:
            held, unreadable = holders(new)
            # Between the table and the search a socket may have been closed: then it is gone now.
            still = {row.inode for row in self._backend.table(pid=self.pid)} - held if new - held else set()
            for row in suspects:
                if row.inode in new:
                    # Of a socket that I made, the holders are mine as a rule, and I may read mine.
                    certain = not unreadable or row.uid == os.geteuid()
                    self._held[row.inode] = row.inode not in still or not certain
                    if row.inode in still and not certain:
                        self._unreadable = unreadable
        return [row for row in suspects if row.inode is not None and not self._held[row.inode]]

    def _closed_fds(self, table: list[SocketRow]) -> tuple[tuple[int, int, int | None], ...] | None:
        """(pid, fd, inode) of TCP sockets that exist only as an fd; None when that cannot be seen."""
        if self._states and "CLOSE" not in self._states:
            return ()
        if not process.LINUX:
            closed = [row for row in table if row.state == "CLOSE" and row.pid == self.pid]
            return tuple((self.pid, row.fd, None) for row in closed if row.fd is not None) or None
        found = [(pid, fd, inode) for pid, known in self._descriptors.items() for fd, inode in known.closed().items()]
        new = {inode for _, _, inode in found} - self._closed
        if new:
            # A socket that was opened after the table was read is not in it either.
            new -= self._every_inode()
        self._closed = {inode for _, _, inode in found if inode in new or inode in self._closed}
        return tuple(one for one in found if one[2] in self._closed)

    def _every_inode(self) -> set[int | None]:
        if self._backend.KNOWS_INODES:
            return {row.inode for row in self._backend.table(pid=self.pid)}
        return {row.inode for row in load("proc_net").table(pid=self.pid)}

    def _narrow(self, rows: list[SocketRow]) -> list[SocketRow]:
        states, wanted = self._states, self._wanted
        if states:
            rows = [row for row in rows if row.state in states]
        return rows if wanted is None else [row for row in rows if wanted(row)]

    def _columns(self, info: bool) -> list[Missing]:
        """What this backend cannot show of a socket."""
        missing = []
        if self.backend == "psutil":
            missing.append(
                Missing("queues, timers, ages, round trips", f"psutil does not know them ({self.why})", _cure())
            )
            if hasattr(os, "geteuid") and os.geteuid() != 0:
                missing.append(
                    Missing("ESTABLISHED without an owner", "psutil needs root to tell", process.more_rights())
                )
        elif self.backend == "proc_net" and info:
            missing.append(
                Missing(
                    "ages, round trips, memory",
                    "/proc/PID/net/tcp does not have them" + (f" ({self.why})" if self.why != "asked for" else ""),
                    _cure()
                    if self.why == "asked for"
                    else f"sudo nsenter -t {self.pid} -n hermes-diag sockets --pid {self.pid}",
                )
            )
        if self._unreadable:
            missing.append(
                Missing(
                    "some sockets without an owner",
                    f"{self._unreadable} processes that may not be read might hold them",
                    process.more_rights(),
                )
            )
        return missing


def _cure() -> str:
    return "leave --backend to auto" if sys.platform.startswith("linux") else "look on Linux"
