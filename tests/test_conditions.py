"""Conditions of --fail-on: what is accepted, what is refused, and when a growth cannot be told."""

from __future__ import annotations

import pytest

from hermes_diag import conditions
from hermes_diag.conditions import AGE, GROWTH, LEVEL, at_end, parse
from hermes_diag.errors import UsageError
from hermes_diag.slope import Series, judge


@pytest.mark.parametrize(
    ("text", "kind", "metric", "limit"),
    [
        ("FDS > 5", LEVEL, "fds", 5),
        ("Rss > 1k", LEVEL, "rss", 1024),
        ("closewait.age > 1m", AGE, "CLOSE_WAIT", 60),
        ("Close-Wait.Growth > 2/min", GROWTH, "CLOSE_WAIT", 120),
        ("close.growth>1/h", GROWTH, "CLOSE", 1),
        ("closed.age > 1h", AGE, "CLOSE", 3600),
        ("THREADS.growth > 24/d", GROWTH, "threads", 1),
    ],
)
def test_spellings(text: str, kind: str, metric: str, limit: float) -> None:
    """Case, hyphens and underscores are as for --state."""
    one = parse(text)
    assert (one.kind, one.metric, one.limit) == (kind, metric, pytest.approx(limit))


@pytest.mark.parametrize("state", ["time_wait", "TIME-WAIT", "syn_recv"])
def test_states_without_an_owner_are_refused(state: str) -> None:
    """No process has such sockets: a condition on them would never hold, and so would always be clean."""
    for aspect in ("age > 1s", "growth > 1/h"):
        with pytest.raises(UsageError, match="belong to no process"):
            parse(f"{state}.{aspect}")


def held(condition: str, values: list[int], interval: float = 1.0) -> bool | None:
    series = Series()
    for i, value in enumerate(values):
        series.add(i * interval, value)
    return at_end(parse(condition), judge("CLOSE_WAIT", series)).held


def test_a_watch_too_short_for_a_limit_cannot_tell() -> None:
    """A minute of quiet says nothing of five an hour; an hour of it does, and a minute of a thousand a second."""
    assert held("close_wait.growth > 5/h", [3] * 60) is None
    assert held("close_wait.growth > 5/h", [3] * 60, interval=60) is False
    assert held("close_wait.growth > 1000/s", [3] * 60) is False
    assert held("close_wait.growth > 5/h", [3] * 20 + [4] * 20 + [5] * 20, interval=10) is None
    assert held("close_wait.growth > 5/h", [3] * 5, interval=3600) is None  # too few samples


def test_growth_itself() -> None:
    """Growth holds when it is beyond the limit; a limit within its interval cannot be told."""
    leak = list(range(60))
    assert held("close_wait.growth > 5/h", leak) is True
    assert held("close_wait.growth > 3500/h", leak) is True
    assert held("close_wait.growth > 2/s", leak) is False
    noisy = [i // 2 + (3 if i % 7 < 2 else 0) for i in range(60)]
    assert held("close_wait.growth > 1801/h", noisy) is None
    # 0 asks whether it grows at all
    assert held("close_wait.growth > 0/h", leak) is True
    assert held("close_wait.growth > 0/h", [3] * 60) is False
    assert held("close_wait.growth > 0/h", [3] * 20 + [4] * 20 + [5] * 20) is None


def test_the_cure_is_said() -> None:
    """How long to watch, which is then long enough."""
    series = Series()
    for i in range(60):
        series.add(i, 3)
    found = at_end(parse("close_wait.growth > 5/h"), judge("CLOSE_WAIT", series)).found
    assert "would not have shown, watch for 47 min at least" in found


def test_long_nonsense_is_not_echoed() -> None:
    """A refusal quotes what was written, but not pages of it."""
    with pytest.raises(UsageError) as caught:
        conditions.parse("x" * 5000)
    assert len(caught.value.message) < 200
