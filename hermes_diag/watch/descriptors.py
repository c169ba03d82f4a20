"""The file descriptors of a process by kind, read once and then kept up (Linux).

Reading the links of 16,000 descriptors takes longer than asking the kernel for 16,000 sockets. So a watch reads only
those that are new. A number may be closed and given to another file between two looks: when a socket has left the
socket table, its descriptor is read again; when the table shows a socket that no known descriptor belongs to, all are.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Set

from hermes_diag.core import redact
from hermes_diag.watch.records import Holding

TCP, OTHER_SOCKET, PIPE, FILE, SQLITE = "TCP", "other socket", "pipe", "file", "SQLite"
#: Files that only memory holds; and a file whose name is gone.
MEMORY, DELETED = "memfd", "file (deleted)"

_SQLITE_ENDS = (".db", ".sqlite", ".sqlite3", ".db3")
SQLITE_SIDES = ("-wal", "-shm", "-journal")
_SOCKET = "socket:["
#: Descriptors that are no sockets and are read again at each look.
_FEW = 64


def targets(pid: int | str) -> dict[int, str]:
    """What each fd of a process points to: a path, `pipe:[N]`, `socket:[INODE]`. Raises OSError."""
    folder = f"/proc/{pid}/fd"
    found = {}
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile, as that of the listing itself
            found[int(name)] = os.readlink(f"{folder}/{name}")
    return found


def sockets(targets_: Mapping[int, str]) -> dict[int, int]:
    """inode -> fd of the sockets among these; of several descriptors of one socket the last."""
    return {int(target[len(_SOCKET) : -1]): fd for fd, target in targets_.items() if is_socket(target)}


def is_socket(target: str) -> bool:
    return target.startswith(_SOCKET) and target.endswith("]") and target[len(_SOCKET) : -1].isdecimal()


def socket_text(inode: int) -> str:
    """What an fd of that socket points to."""
    return f"{_SOCKET}{inode}]"


def protocol(pid: int | str, fd: int | str) -> str:
    """Of a socket: TCP (of IPv6, too), UNIX, UDP and so on; "" when that cannot be seen."""
    try:
        name = os.getxattr(f"/proc/{pid}/fd/{fd}", "system.sockprotoname").rstrip(b"\0").decode("ascii", "replace")
    except OSError:
        return ""
    return TCP if name == "TCPv6" else name.partition("-")[0]  # UNIX-STREAM


class Descriptors:
    """What each fd of a process is. Nothing is read until `refresh`. started: when the process began, since a
    PID may be used again. under: the number under which /proc shows them, if not the PID (process.living)."""

    def __init__(self, pid: int, started: float = 0.0, under: int | None = None) -> None:
        self.started = started
        self.elsewhere = False  # in another network namespace, whose sockets are in no table that is read
        self.version = 0  # goes up when descriptors have been read
        self.under = under or pid
        self._pid = pid
        self._folder = f"/proc/{self.under}/fd"
        self.inodes: dict[int, int] = {}  # inode of a socket -> fd
        self._kinds: dict[str, str] = {}  # name of the fd -> kind; a socket's is "" until asked
        self._socket_of: dict[str, int] = {}  # name of the fd -> inode
        self._sqlite: dict[str, str] = {}  # name of the fd -> base name
        self._targets: dict[str, str] = {}  # name of the fd -> where its link points
        self._each: Mapping[str, tuple[str, str]] = {}
        self._told = -1  # the version of these
        self._table: Set[int] = frozenset()  # at the last refresh
        self._known: set[int] = set()  # inodes in the table at the last refresh
        self._strangers: set[int] = set()  # inodes in the table that are not this process's
        self._doubtful: set[int] = set()  # strangers that were not searched for everywhere

    @property
    def count(self) -> int:
        return len(self._kinds)

    def refresh(self, table: Set[int], whole: bool = True, narrowed: bool = False) -> None:
        """Bring up to date. table: inodes of the TCP sockets that the kernel has just shown.

        whole: False looks for news of TCP sockets only, and may miss until the next whole look that one
        descriptor was closed and another opened in its stead. narrowed: the table was asked for some states only.
        Raises OSError when the process is gone or not ours.
        """
        self._look_again(whole)
        if not whole and table is self._table and self._as_many_as_before():
            return
        self._table = table
        if whole:
            self._strangers -= self._doubtful
            self._doubtful.clear()
        unclaimed = table - self.inodes.keys() - self._strangers
        gone = self._known - table
        self._strangers &= table
        if not (whole or gone) and self._as_many_as_before():
            # A socket in the table without a known fd belongs to another process: one of ours would be one fd more.
            # Or another of ours was closed at the same time: the next whole look finds that.
            self._doubtful |= unclaimed
            self._strangers |= unclaimed
            return
        self.version += 1
        names = os.listdir(self._folder)
        if len(names) != len(self._kinds) or self._kinds.keys() != set(names):
            self._forget(self._kinds.keys() - names)
        self._forget([name for inode in gone if (name := str(self.inodes.get(inode, ""))) in self._kinds])
        self._read(name for name in names if name not in self._kinds)
        unclaimed -= self.inodes.keys()
        if unclaimed and narrowed and not whole:  # any fd might hold it, and to read all takes long
            self._doubtful |= unclaimed
        elif unclaimed:
            self._read([name for name in self._kinds if self._socket_of.get(name) not in table])
        self._strangers |= unclaimed - self.inodes.keys()
        self._known = table & self.inodes.keys()

    def kinds(self) -> dict[str, int]:
        """How many descriptors of each kind, the most frequent first."""
        for name in self._socket_of:
            if not self._kinds[name]:
                self._kinds[name] = TCP if self._socket_of[name] in self._known else self._protocol(name)
        return dict(Counter(self._kinds.values()).most_common())

    def holding(self) -> Holding:
        """Each descriptor with its kind and where its link points, and the threads."""
        if self._told != self.version:
            self.kinds()
            self._told = self.version
            self._each = {name: (kind, self._targets.get(name, "")) for name, kind in self._kinds.items()}
        try:
            threads = frozenset(map(int, os.listdir(f"/proc/{self._pid}/task")))
        except OSError:  # has ended
            threads = frozenset()
        return Holding(self._pid, self.version, self._each, threads)

    def sqlite(self) -> dict[str, int]:
        """How many descriptors of each SQLite file (base names), the most frequent first."""
        return dict(Counter(self._sqlite.values()).most_common())

    def closed(self) -> dict[int, int]:
        """fd -> inode of TCP sockets that are in no table: in state CLOSE (reset, or never connected)."""
        found = {}
        for name, inode in self._socket_of.items():
            if inode in self._known:
                continue
            if not self._kinds[name]:
                self._kinds[name] = self._protocol(name)
            if self._kinds[name] == TCP:
                found[int(name)] = inode
        return found

    def _look_again(self, whole: bool) -> None:
        """Read again what is no socket, where that is little or a whole look: another file may have the number now."""
        names = [name for name in self._kinds if name not in self._socket_of]
        if whole or len(names) <= _FEW:
            before = [self._targets[name] for name in names]
            self._read(names)
            self.version += before != [self._targets.get(name) for name in names]

    def _as_many_as_before(self) -> bool:
        size = os.stat(self._folder).st_size  # the number of fds since Linux 6.2, before that 0
        return size == len(self._kinds) > 0

    def _forget(self, names: Iterable[str]) -> None:
        for name in list(names):
            del self._kinds[name]
            self._sqlite.pop(name, None)
            self._targets.pop(name, None)
            inode = self._socket_of.pop(name, None)
            if inode is not None and self.inodes.get(inode) == int(name):
                del self.inodes[inode]

    def _read(self, names: Iterable[str]) -> None:
        folder = self._folder
        for name in names:
            try:
                target = os.readlink(f"{folder}/{name}")
            except FileNotFoundError:  # closed while we looked
                if name in self._kinds:
                    self._forget([name])
                continue
            self._targets[name] = target
            if is_socket(target):
                inode = int(target[len(_SOCKET) : -1])
                if self._socket_of.get(name) != inode:
                    self._socket_of[name] = inode
                    self._kinds[name] = ""
                self.inodes[inode] = int(name)
            else:
                self._socket_of.pop(name, None)
                self._kinds[name] = kind = kind_of(target)
                if kind == SQLITE:
                    self._sqlite[name] = redact.name(os.path.basename(target.removesuffix(" (deleted)")))

    def _protocol(self, name: str) -> str:
        found = protocol(self.under, name)
        return {TCP: TCP, "": OTHER_SOCKET}.get(found, found.lower())


def kind_of(target: str) -> str:
    """The kind of a descriptor that is no socket, from where its link points."""
    if target.startswith("pipe:"):
        return PIPE
    if target.startswith("anon_inode:"):  # anon_inode:[eventpoll], anon_inode:inotify
        return target[len("anon_inode:") :].strip("[]")
    if target.startswith("/memfd:"):
        return MEMORY
    path = target.removesuffix(" (deleted)")
    for side in SQLITE_SIDES:
        path = path.removesuffix(side)
    if path.endswith(_SQLITE_ENDS) or path != target.removesuffix(" (deleted)"):
        return SQLITE
    return DELETED if target.endswith(" (deleted)") else FILE


def holders() -> tuple[set[int], int]:
    """The inodes of all sockets that any process has an fd of, and how many processes at least could not be read.

    Linux; elsewhere nothing is found and nothing is unreadable. Costs one look at every fd of the host.
    """
    held: set[int] = set()
    if not sys.platform.startswith("linux"):
        return held, 0
    # Process 1 is always there. Where /proc hides it (hidepid, systemd's ProtectProc), it hides others, too.
    unreadable = int(not os.path.exists("/proc/1"))
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            held |= sockets(targets(process)).keys()
        except PermissionError:
            unreadable += 1
        except OSError:  # has ended
            continue
    return held, unreadable
