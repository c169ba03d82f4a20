"""Growth and nothing else accuses."""

from __future__ import annotations

import pytest

from hermes_diag.judge import growth


@pytest.mark.parametrize(
    ("counts", "grows"),
    [
        ([1, 2, 3, 4], True),
        ([9, 18, 27, 36, 45, 54, 63, 72, 81, 90, 99, 100], True),
        ([3, 3, 3, 3, 3, 3], False),  # an idle pool
        ([0, 0, 0, 0], False),
        ([0, 9, 0, 9, 0, 9, 0, 9], False),  # bursts that return to base
        ([5, 4, 3, 2], False),
        ([1, 2, 3], False),  # too few to tell
        ([], False),
        ([0, 0, 0, 0, 0, 7], False),  # one late burst is no trend yet
        ([2, 4, 6, 8, 8, 8], False),  # a pool that has filled up
        ([2, 4, 6, 8, 8, 9], True),
        ([0, 1, 2, 2, 3, 4], True),  # a turn in three is kept
        ([1, 1, 1, 1, 1, 2], False),  # one step
    ],
)
def test_grows(counts: list[int], grows: bool) -> None:
    """A constant count, a burst and too few points are no growth."""
    assert growth.grows(list(enumerate(counts))) is grows


def test_per_turn() -> None:
    """Sockets gained per turn between first and last look."""
    assert growth.per_turn([(10, 10), (20, 15)]) == 0.5
