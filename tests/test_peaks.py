"""A series that is made smaller keeps its peaks, its times and the number of its samples."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from hermes_diag.core.peaks import Peaks


@given(st.lists(st.integers(-5, 10**6), min_size=1, max_size=300), st.integers(2, 12))
def test_nothing_of_what_counts_is_lost(values: list[int], most: int) -> None:
    """Bounded; lowest, highest, last, the number of samples and the order of times are those of what went in."""
    series = Peaks(most)
    for at, value in enumerate(values):
        series.add(float(at), value)
    kept = list(series)
    assert len(kept) <= most
    assert min(one.low for one in kept) == min(values)
    assert max(one.high for one in kept) == max(values)
    assert kept[-1].last == values[-1]
    assert sum(one.samples for one in kept) == len(values)
    assert (kept[0].begin, kept[-1].end) == (0.0, float(len(values) - 1))
    assert all(one.end < next_.begin for one, next_ in itertools.pairwise(kept))
    assert all(one.samples == series.together for one in kept[:-1])
    assert all(one.low <= values[int(one.begin)] <= one.high for one in kept)
