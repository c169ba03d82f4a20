"""What the numbers of a socket are called."""

from __future__ import annotations

import pytest

from hermes_diag.core.sockets import SocketRow
from hermes_diag.watch import explain


@pytest.mark.parametrize(
    ("timer", "says", "rank"),
    [
        ("on", "2 retransmits", 3),
        ("persist", "2 window probes: the peer lives but reads nothing", 2),
        ("keepalive", "2 keepalive probes not answered: the peer may be gone", 3),
    ],
)
def test_what_was_sent_again(timer: str, says: str, rank: int) -> None:
    """One number of the kernel means three things: its timer tells which."""
    row = SocketRow("ESTABLISHED", ("::1", 1), ("::1", 2), timer=timer, retransmits=2, send_q=10)
    assert says in explain.socket(row)
    assert explain.badness(row)[0] == rank
