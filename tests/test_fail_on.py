"""Conditions of --fail-on: what is accepted, what is refused, and when a growth cannot be told."""

from __future__ import annotations

import random
import re

import pytest

from hermes_diag.core.errors import UsageError
from hermes_diag.core.units import SECONDS
from hermes_diag.watch import fail_on, trend
from hermes_diag.watch.fail_on import AGE, GROWTH, LEVEL, at_end, parse
from hermes_diag.watch.records import Held
from hermes_diag.watch.trend import Series, judge


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
        ("rss.growth > 2M/min", GROWTH, "rss", 2 * 60 * 1024**2),
        ("rss.growth > 512/h", GROWTH, "rss", 512),
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


@pytest.mark.parametrize("text", ["fds.growth > 2M/h", "rss.growth > 2M", "rss.growth > 2x/h", "rss.age > 2s"])
def test_growth_has_a_unit(text: str) -> None:
    """Of memory a size by the time, of all else a number by the time."""
    with pytest.raises(UsageError):
        parse(text)


def watched(condition: str, values: list[int], interval: float = 1.0) -> Held:
    series = Series()
    for i, value in enumerate(values):
        series.add(i * interval, value)
    return at_end(parse(condition), judge("CLOSE_WAIT", series))


def held(condition: str, values: list[int], interval: float = 1.0) -> bool | None:
    return watched(condition, values, interval).held


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
    assert "would not have shown, watch for 48 min at least" in found


def advised(found: str) -> float:
    """The seconds that a watch is told to take."""
    match = re.search(r"watch for (.+) at least", found)
    assert match, found
    words = match[1].split()
    return sum(float(number) * SECONDS[unit] for number, unit in zip(words[::2], words[1::2], strict=True))


@pytest.mark.parametrize("interval", [0.5, 1.0, 7.0, 60.0])
@pytest.mark.parametrize("limit", ["5/min", "5/h", "3/s", "2/d"])
def test_the_cure_cures(limit: str, interval: float) -> None:
    """Whoever watches for as long as is said has an answer, even if the last sample comes an interval early."""
    asked = f"close_wait.growth > {limit}"
    short = watched(asked, [3] * 10, interval=0.01)
    assert short.held is None
    short = watched(asked, [3] * 10, interval=min(interval, trend.seconds_to_notice(parse(asked).limit) / 20))
    needed = advised(short.found)
    interval = min(interval, needed / 20)
    assert watched(asked, [3] * int(needed / interval), interval=interval).held is False


def test_a_leak_slower_than_the_limit() -> None:
    """It is told from the limit once the watch is as long as was said; until then the interval holds the limit."""
    asked = "close_wait.growth > 3/s"
    short = watched(asked, [i // 5 for i in range(40)], interval=0.1)
    assert short.held is None
    assert "growing" in short.found
    needed = advised(short.found)
    told = watched(asked, [i // 5 for i in range(int(needed * 10))], interval=0.1)
    assert told.held is False
    assert held(asked, [i * 4 // 10 for i in range(100)], interval=0.1) is True


def test_a_limit_outside_the_printed_interval_is_told() -> None:
    """Of a number that grows, the interval that is printed decides, and nothing else."""
    series = Series()
    for i in range(600):
        series.add(i / 10, i // 5)
    course = judge("CLOSE_WAIT", series)
    assert course.word == "growing"
    assert course.at_most == course.per_hour_high
    assert course.per_hour_high is not None
    assert at_end(parse(f"close_wait.growth > {course.per_hour_high + 1}/h"), course).held is False
    assert at_end(parse(f"close_wait.growth > {course.per_hour_high - 1}/h"), course).held is None


def test_a_number_that_scatters_needs_a_longer_watch() -> None:
    """The advice is never shorter than the watch that it is about."""
    rng = random.Random(1)
    found = watched("close_wait.growth > 1000/h", [rng.randrange(1000) for _ in range(60)])
    assert found.held is None
    assert advised(found.found) > 59


def test_long_nonsense_is_not_echoed() -> None:
    """A refusal quotes what was written, but not pages of it."""
    with pytest.raises(UsageError) as caught:
        fail_on.parse("x" * 5000)
    assert len(caught.value.message) < 200
