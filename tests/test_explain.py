"""What the numbers of a socket are called."""

from __future__ import annotations

import pytest

from hermes_diag.core.sockets import SocketRow
from hermes_diag.watch import explain


@pytest.mark.parametrize(
    ("timer", "number", "says", "rank"),
    [
        ("on", 2, "2 retransmits", 3),
        ("persist", 2, "2 window probes not answered: the peer may be gone", 3),
        ("persist", 1, "the peer reads nothing, and the last window probe is not answered yet", 2),
        ("persist", 0, "the peer reads nothing, and the last window probe is answered", 2),
        ("keepalive", 2, "2 keepalive probes not answered: the peer may be gone", 3),
    ],
)
def test_what_was_sent_again(timer: str, number: int, says: str, rank: int) -> None:
    """One number of the kernel means three things: its timer tells which."""
    row = SocketRow("ESTABLISHED", ("::1", 1), ("::1", 2), timer=timer, retransmits=number, send_q=10)
    assert says in explain.socket(row)
    assert explain.badness(row)[0] == rank
