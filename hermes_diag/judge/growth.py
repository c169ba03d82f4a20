"""Growth is what makes a leak: a healthy idle pool holds CLOSE_WAIT sockets, too. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

#: With fewer points growth cannot be told from a constant number.
ENOUGH = 4

Point = tuple[int, int]  # (turns so far, count)


def grows(points: Sequence[Point]) -> bool:
    """Whether no count of the later half is below one of the earlier half, and the later half rises, more than once.

    A constant count, a pool that has filled up, a burst that returns to its base, one step, and too few points are no
    growth.
    """
    if len(points) < ENOUGH:
        return False
    counts = [count for _, count in points]
    half = len(counts) // 2
    later = counts[-half:]
    rises = sum(before < after for before, after in itertools.pairwise(counts[-half - 1 :]))
    return min(later) >= max(counts[:half]) and max(later) > later[0] and rises > 1


def per_turn(points: Sequence[Point]) -> float:
    """Sockets gained per turn from the first point to the last."""
    (first_turns, first), (last_turns, last) = points[0], points[-1]
    return (last - first) / max(1, last_turns - first_turns)
