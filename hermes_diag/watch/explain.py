"""What the numbers of a socket mean, in words. Pure.

Measured on Linux: the receive queue of a socket whose peer has closed counts the FIN as one byte, until
the process has read the end of the stream. TLS 1.3 sends a close_notify record of 24 bytes before it, TLS 1.2 (AES-GCM)
one of 31. The counter of window probes goes back to 0 at every answer.
"""

from __future__ import annotations

from hermes_diag.core import units
from hermes_diag.core.sockets import CLOSE_WAIT, ESTABLISHED, SocketRow

#: The peer has sent its FIN, which the queue counts.
_PEER_CLOSED = (CLOSE_WAIT, "LAST_ACK", "CLOSING")

#: A bare FIN; the close_notify of TLS 1.3 or 1.2 and the FIN.
FIN, CLOSE_NOTIFY = 1, (25, 32)


def recv_q(row: SocketRow) -> str:
    """What waits to be read."""
    n = row.recv_q
    if n is None:
        return "Recv-Q unknown"
    if row.state == "LISTEN":
        return f"Recv-Q {n}: " + ("no connection waits" if n == 0 else "connections that wait to be accepted")
    if row.state not in _PEER_CLOSED:
        return f"Recv-Q {n:,}: " + ("all was read" if n == 0 else "unread data")
    if n == 0:
        return "Recv-Q 0: all was read, the end of the stream too"
    if n == FIN:
        return "Recv-Q 1: the bare FIN, nothing is lost"
    if n in CLOSE_NOTIFY:
        return f"Recv-Q {n}: TLS close_notify and FIN, nothing is lost"
    return f"Recv-Q {n:,}: {n - FIN:,} bytes of unread body and the FIN"


def is_unread(state: str, queue: int) -> bool:
    """Whether so many bytes in the receive queue are data that nobody has read, and not only the end of a stream."""
    if state == "LISTEN":
        return False
    return queue > FIN and queue not in CLOSE_NOTIFY if state in _PEER_CLOSED else queue > 0


def send_q(row: SocketRow) -> str:
    """What waits to be sent or acknowledged."""
    n = row.send_q
    if n is None:
        return "Send-Q unknown"
    if row.state == "LISTEN":
        return f"Send-Q {n:,}: room for so many waiting connections" if n else ""
    if n == 0:
        return "Send-Q 0"
    if row.state == "SYN_SENT":
        return f"Send-Q {n}: the peer has not answered the connection request"
    return f"Send-Q {n:,}: sent or waiting, not acknowledged by the peer"


def keepalive(row: SocketRow) -> str:
    """Whether the system would notice that the peer has vanished."""
    if row.state not in (ESTABLISHED, CLOSE_WAIT) or row.timer is None:
        return ""
    if row.keepalive is None:
        return f"keepalive hidden by the {'retransmit' if row.timer == 'on' else row.timer} timer"
    return "keepalive on" if row.keepalive else "keepalive off"


def unanswered(row: SocketRow) -> str:
    """What was sent again and again. The kernel keeps one number, and its timer says of what."""
    n = row.retransmits
    if row.timer == "persist" and n is not None:
        if n > 1:
            return f"{n} window probes not answered: the peer may be gone"
        return f"the peer reads nothing, and the last window probe is {'not answered yet' if n else 'answered'}"
    if not n:
        return ""
    many = "s" if n > 1 else ""
    if row.timer == "keepalive":
        return f"{n} keepalive probe{many} not answered: the peer may be gone"
    return f"{n} retransmit{many}"


def age(row: SocketRow) -> str:
    """How long the socket has been silent, and in CLOSE_WAIT at least."""
    if row.silent_ms is None:
        return ""
    silent = f"silent for {units.duration(row.silent_ms / 1000)}"
    if row.state == CLOSE_WAIT and row.acked_ms is not None:
        return f"in it for at least {units.duration(row.acked_ms / 1000)}, {silent}"
    return silent


def socket(row: SocketRow) -> list[str]:
    """All that is worth saying of a socket, the most important first."""
    said = [age(row), "" if row.state == "SYN_SENT" else recv_q(row), send_q(row) if row.send_q else "", keepalive(row)]
    said.append(unanswered(row))
    if row.rtt_ms and row.state in (ESTABLISHED, CLOSE_WAIT):
        said.append(f"rtt {row.rtt_ms:.3g} ms")
    return [one for one in said if one and not one.endswith("unknown")]


def badness(row: SocketRow) -> tuple[int, float, int]:
    """A sort key: the higher, the more a person should look at this socket."""
    waiting = (row.recv_q or 0) + (row.send_q or 0)
    since = float((row.acked_ms if row.state == CLOSE_WAIT else row.silent_ms) or 0)
    if row.state == CLOSE_WAIT:
        return (4, since, waiting)
    if row.retransmits and (row.timer != "persist" or row.retransmits > 1):
        return (3, since, waiting)
    if row.state == "LISTEN":
        return (2 if row.recv_q else -1, since, waiting)
    if waiting:
        return (2, since, waiting)
    return (1 if row.state != ESTABLISHED else 0, since, waiting)
