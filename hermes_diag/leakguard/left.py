"""What a test has left, as data. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hermes_diag.core.sockets import CLOSE_WAIT, SocketRow
from hermes_diag.leakguard.limits import Limits
from hermes_diag.leakguard.opening import Opening

#: The state of a socket that only the garbage collector has closed, while the test ran.
COLLECTED = "closed by the garbage collector"


@dataclass(frozen=True)
class Socket:
    """A socket left behind.

    row: as the kernel shows it; of a socket that is in no TCP table the state is CLOSE or the protocol's
    name (UNIX, UDP ...) and the addresses are empty. age: seconds since it was opened, None: unknown.
    holder: a child's pid, 0 for this process, None: nobody has a descriptor. opening: if unknown, that of the
    child. collected: only the garbage collector closed it.
    """

    row: SocketRow
    holder: int | None
    fd: int | None
    opening: Opening | None
    age: float | None
    collected: bool = False


@dataclass(frozen=True)
class Descriptor:
    """What a descriptor that is no socket points to, and the lines that may have opened it (looked for at last)."""

    target: str
    fd: int
    openings: tuple[Opening, ...] = ()


@dataclass(frozen=True)
class Left:
    """What was left: sockets; other descriptors; threads and where each was started. replaced: new connections of wider
    fixtures (KEY) and those whose place they took."""

    sockets: tuple[Socket, ...] = ()
    fds: tuple[Descriptor, ...] = ()
    threads: tuple[tuple[str, Opening | None], ...] = ()
    replaced: tuple[tuple[int, int], ...] = ()

    def counts(self) -> dict[str, int]:
        """By the names of Limits."""
        waiting = sum(one.row.state == CLOSE_WAIT for one in self.sockets)
        return {
            "close_wait": waiting,
            "leaked": len(self.sockets) - waiting,
            "fds": len(self.fds),
            "threads": len(self.threads),
        }

    def beyond(self, limits: Limits) -> dict[str, tuple[int, int]]:
        """name -> (found, allowed) of every limit that does not hold."""
        found = self.counts()
        allowed = {name: getattr(limits, name) for name in found}
        return {name: (found[name], most) for name, most in allowed.items() if most is not None and found[name] > most}

    def may_fit(self, limits: Limits) -> bool:
        """Whether the limits may hold when nobody here closes anything, and the other sides do what they like."""
        if {"fds", "threads"} & self.beyond(limits).keys():
            return False
        most = (limits.close_wait, limits.leaked)
        return None in most or len(self.sockets) <= sum(one or 0 for one in most)
