"""Things that stay are told from those that come and go, whatever their number does."""

from __future__ import annotations

import math
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from hermes_diag.watch import courses, lives
from hermes_diag.watch.follow import ENTRIES, Names, News
from hermes_diag.watch.lives import KEPT, Lives
from hermes_diag.watch.records import Lived
from hermes_diag.watch.trend import Series

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
import truth_watch


def test_the_table_of_truth() -> None:
    """On seeds that nobody tuned with, the floor of each column holds, of some watches of each class.

    `scripts/truth watch` prints the table of many more, beside simpler ways to judge.
    """
    found = truth_watch.run(seed=20_001, watches=110, peers=False)["those that stay (this tool)"]
    shares = {title: truth_watch.share(found, kind, word) for title, kind, word in truth_watch.COLUMNS}
    assert shares["healthy called growing"] <= 0.014  # 1 of 74
    assert shares["healthy, cannot tell"] <= 0.15
    assert shares["leaks found"] >= 0.56
    assert shares["leaks called clear"] <= 0.114
    assert shares["stopped leak called growing"] <= 0.17  # 1 of 6


def filled(events: list[tuple[float, float]], samples: int, interval: float = 1.0) -> Lives:
    """Lives of things with these births and deaths, as a watch sees them."""
    found = Lives(interval)
    there: dict[int, float] = {}
    for i in range(samples):
        at = i * interval
        news = News(at)
        for key in [key for key in there if events[key][1] <= at]:
            news.died(("x",), there.pop(key))
        for key, (born, died) in enumerate(events):
            if key not in there and born <= at < died:
                there[key] = at
                news.born(("x",))
        if "x" in (seen := news.lives()):
            found.add(at, seen["x"])
    found.advance((samples - 1) * interval)
    return found


def test_memory_is_bounded() -> None:
    """However long the watch is: some cells, in which nothing is lost."""
    found = filled([(i * 10.0, i * 10.0 + 55 if i % 2 else 1e9) for i in range(500)], 5000)
    assert found.end <= KEPT
    assert len(found.alive) <= KEPT + 1
    assert found.count == 250 + 3  # the leaked ones, and those that have not died yet
    assert found.died.total() == 247
    assert lives.judge(found).leak


def test_a_record_is_bounded() -> None:
    """Thousands that go in one sample are told in few entries, and what was there before the watch stays apart."""
    news = News(9000.0)
    for i in range(5000):
        news.died(("x",), float(i))
    news.died(("x",), 0.0)
    died = news.lives()["x"].died
    assert len(died) <= ENTRIES
    assert sum(count for _, count in died) == 5001
    assert died[0] == (0.0, 2)


def test_names_are_bounded() -> None:
    """A name is free again when nothing of that name is left."""
    names = Names()
    for i in range(500):
        assert names.take("to", str(i)) == f"to {i}"
    assert names.take("to", "one more") == "to others"
    names.leave(("to 7",))
    assert names.take("to", "one more") == "to one more"


@pytest.mark.parametrize("clump", [1, 3])
def test_the_interval_holds_the_rate(clump: int) -> None:
    """Of what comes and stays at random, also in clumps, the interval holds the true rate 19 times in 20."""
    growing = missed = 0
    for seed in range(300):
        rng, at, came = random.Random(seed), 0.0, Counter[int]()
        while (at := at + rng.expovariate(0.25 / clump)) < 119:
            came[math.ceil(at)] += rng.choice((1, clump, 2 * clump - 1))
        found = Lives(1.0)
        for moment, count in came.items():
            found.add(float(moment), Lived(count))
        found.advance(119.0)
        if leak := lives.judge(found).leak:
            growing += 1
            _, least, most = courses.rate(leak, found.width)
            missed += not least <= 900 <= most
    assert growing > 150
    assert missed / growing <= 1 / 12  # 19 in 20, and the scatter of some 200 tries


def ramp(rng: random.Random) -> list[tuple[float, float]]:
    return [(born, born + 2) for born in (119 * rng.random() ** 0.5 for _ in range(600))]


def wave(rng: random.Random) -> list[tuple[float, float]]:
    return [(born, born + 3) for born in (rng.gauss(110, 40) for _ in range(500))]


@pytest.mark.parametrize("make", [ramp, wave])
def test_a_load_that_rises_is_no_leak(make: Callable[[random.Random], list[tuple[float, float]]]) -> None:
    """The number rises all the time; what came long ago is gone."""
    for seed in range(20):
        events = make(random.Random(seed))
        found = filled(events, 120)
        series = Series()
        for i in range(120):
            series.add(i, sum(born <= i < died for born, died in events))
        course = courses.judge("CLOSE_WAIT", series, found)
        assert course.word == "bursty", course.text
        assert "none that came stays" in course.text
        assert course.at_most is not None
        assert course.at_most < 200  # 3,000 an hour are opened at the least


def test_too_short_says_when_it_would_tell() -> None:
    """And with a watch of that length it is told."""
    events = [(10.0 + 25 * i, 1e9) for i in range(40)]
    series = Series()
    for i in range(100):
        series.add(i, sum(born <= i for born, _ in events))
    course = courses.judge("CLOSE_WAIT", series, filled(events, 100))
    assert course.word == "too short"
    assert course.tells
    assert "watch for" in course.text
    assert lives.judge(filled(events, int(course.tells) + 1)).leak
