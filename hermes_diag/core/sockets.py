"""One TCP socket, and the names of its states. The ground on which everything that looks at sockets stands."""

from __future__ import annotations

from typing import NamedTuple

#: The states of a TCP socket as psutil and Linux name them.
ESTABLISHED, CLOSE_WAIT = "ESTABLISHED", "CLOSE_WAIT"
#: States that a socket passes through after its owner has let go of it.
LET_GO = frozenset({"TIME_WAIT", "FIN_WAIT1", "FIN_WAIT2", "CLOSING", "LAST_ACK"})


def bracketed(host: str) -> str:
    """A host as a URL names it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


class SocketRow(NamedTuple):
    """One TCP socket as a backend saw it. Addresses are (ip, port); unknown is None.

    A tuple and not a dataclass: a look at 16,000 sockets makes 16,000 of them, and a frozen dataclass
    takes eight times as long to make.
    """

    state: str
    local: tuple[str, int]
    remote: tuple[str, int]
    pid: int | None = None
    fd: int | None = None
    inode: int | None = None
    recv_q: int | None = None  # bytes; of a listener: connections that wait to be accepted
    send_q: int | None = None  # bytes
    keepalive: bool | None = None  # the keepalive timer is running; None also while another one hides it
    retransmits: int | None = None
    timer: str | None = None  # "" (none), "on" (retransmit), "keepalive", "timewait", "persist"
    expires_ms: int | None = None
    uid: int | None = None
    silent_ms: int | None = None  # since the last data came in
    acked_ms: int | None = None  # since the last segment of the peer, whatever it held
    rtt_ms: float | None = None
    memory: int | None = None  # bytes of kernel memory: unread and unsent data with their overhead

    def owned_by(self, pid: int, fd: int | None) -> SocketRow:
        return self._replace(pid=pid, fd=fd)
