"""Words for courses: a leak is found with its rate, and what only comes and goes is not accused."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from hermes_diag.watch import trend
from hermes_diag.watch.trend import BURSTY, GROWING, STEADY, TOO_SHORT, Series, judge, theil_sen


def course(values: list[int], interval: float = 1.0) -> object:
    series = Series()
    for i, value in enumerate(values):
        series.add(i * interval, value)
    return judge("CLOSE_WAIT", series)


def word(values: list[int]) -> str:
    return course(values).word  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3] * 60, STEADY),
        ([0] * 10, STEADY),
        ([3, 4] * 30, STEADY),
        (list(range(60)), GROWING),
        ([i // 4 for i in range(60)], GROWING),
        (list(range(10)), GROWING),
        ([0] * 9, TOO_SHORT),
        ([7], TOO_SHORT),
        ([0] * 5 + [10] * 5 + [0] * 5 + [12] * 5 + [0] * 5 + [9] * 5 + [0] * 5, BURSTY),
        ([20 - i for i in range(20)], BURSTY),
        ([0] * 20 + [10] * 40, STEADY),  # a pool that has warmed up
        ([0] * 30 + [10, 11, 13, 12, 15, 18, 17, 19, 20, 25], TOO_SHORT),  # has risen, but only just
        # a leak so slow that it hardly shows
        ([3] * 20 + [4] * 20 + [5] * 20, TOO_SHORT),
        ([3] * 30 + [4] * 30, TOO_SHORT),
        ([1000 + i // 15 for i in range(60)], GROWING),
        ([1000 + i // 25 for i in range(60)], TOO_SHORT),
        ([7] * 10 + [8] * 15 + [7] * 2 + [8] * 10 + [9] * 23, TOO_SHORT),
        ([3] * 10 + [4] * 50, STEADY),  # rose once, early, and is quiet since
        ([0] * 10 + [2] * 5 + [5] * 5 + [9] * 40, STEADY),  # warmed up in steps
        # bursts on top of a leak
        ([i // 2 + (15 if i % 8 < 2 else 0) for i in range(80)], GROWING),
    ],
)
def test_words(values: list[int], expected: str) -> None:
    """Each kind of course has its word."""
    assert word(values) == expected


def test_the_rate_is_the_true_one() -> None:
    """One a second is 3,600 an hour, and bursts do not move it."""
    found = course([i // 3 + (20 if i % 10 == 0 else 0) for i in range(60)], interval=1 / 3)
    assert found.per_hour == pytest.approx(3600, rel=0.1)  # type: ignore[attr-defined]
    assert found.per_hour_low <= 3600 <= found.per_hour_high  # type: ignore[attr-defined]


def square(rng: random.Random) -> list[int]:
    """Bursts of random height and length from a base that stays."""
    values: list[int] = []
    while len(values) < 60:
        values += [2] * rng.randint(1, 8) + [2 + rng.randint(3, 40)] * rng.randint(1, 8)
    return values[:60]


def queue(rng: random.Random) -> list[int]:
    """Sockets that come at random and live for a random time: neighbours resemble each other."""
    alive: list[float] = []
    values = []
    for now in range(-40, 60):
        alive = [end for end in alive if end > now]
        alive += [now + rng.expovariate(1 / 6) for _ in range(rng.choice((0, 1, 1, 2, 5)))]
        if now >= 0:
            values.append(len(alive))
    return values


@pytest.mark.parametrize("load", [square, queue])
def test_the_innocent_are_not_accused(load: Callable[[random.Random], list[int]]) -> None:
    """Of 400 healthy loads that come and go fewer than one in a hundred is called growing."""
    accused = sum(word(load(random.Random(seed))) == GROWING for seed in range(400))
    assert accused < 4


def test_a_leak_under_load_is_found() -> None:
    """Of 100 such loads with a leak on top nine in ten are called growing, and none steady."""
    words = [word([v + i for i, v in enumerate(square(random.Random(seed)))]) for seed in range(100)]
    assert words.count(GROWING) >= 90
    assert STEADY not in words


def test_memory_is_bounded() -> None:
    """100,000 samples are kept in some hundred points, with extremes, ends and the slope intact."""
    series = Series()
    for i in range(100_000):
        series.add(i, 5000 if i == 777 else i // 100)
    assert len(series.points) <= trend.KEPT
    found = judge("fds", series)
    assert (found.first, found.last, found.high, found.low) == (0, 999, 5000, 0)
    assert found.per_hour == pytest.approx(36, rel=0.02)
    assert series.samples == 100_000


def test_interval_holds_the_truth() -> None:
    """With independent noise the interval holds the true slope about 19 times in 20."""
    hits = 0
    for seed in range(200):
        rng = random.Random(seed)
        found = theil_sen([(i, 0.5 * i + rng.gauss(0, 4)) for i in range(40)])
        hits += found.low <= 0.5 <= found.high
    assert hits >= 180


@pytest.mark.parametrize(
    ("per_hour", "seconds", "interval"), [(180, 600, 2), (60, 3600, 12), (3600, 60, 0.5), (60, 600, 4)]
)
def test_interval_holds_the_rate_of_a_leak_by_chance(per_hour: float, seconds: float, interval: float) -> None:
    """Sockets that leak at random (Poisson) moments: what is printed holds the true rate 19 times in 20."""
    growing = missed = 0
    for seed in range(150):
        rng = random.Random(seed)
        due, leaked, series = rng.expovariate(per_hour / 3600), 0, Series()
        for i in range(int(seconds / interval) + 1):
            while due <= i * interval:
                leaked += 1
                due += rng.expovariate(per_hour / 3600)
            series.add(i * interval, leaked)
        found = judge("CLOSE_WAIT", series)
        if found.word == GROWING:
            growing += 1
            assert found.per_hour_low is not None
            assert found.per_hour_high is not None
            missed += not found.per_hour_low <= per_hour <= found.per_hour_high
    assert growing > 90
    assert missed / growing <= 1 / 15  # 19 in 20, and the scatter of 150 tries


def busy(rng: random.Random, leak: float) -> list[int]:
    """Some seventy sockets that come and go, and a leak of so many a sample beneath them."""
    alive: list[float] = []
    values, leaked = [], 0
    for now in range(-40, 120):
        alive = [end for end in alive if end > now]
        alive += [now + rng.expovariate(1 / 12) for _ in range(rng.choice((0, 2, 4, 6, 10)))]
        if now >= 0:
            leaked += rng.random() < leak
            values.append(len(alive) + leaked)
    return values


def test_a_base_that_rose_is_not_back() -> None:
    """Under a busy load a leak that is not found is too short to tell, and hardly ever called bursty."""
    assert word([32, 92] * 8 + [50, 92] * 7 + [45, 92] * 7 + [46, 92] * 8) == TOO_SHORT
    assert word([32, 92] * 8 + [50, 92] * 7 + [45, 92] * 7 + [34, 92] * 8) == BURSTY
    words = [word(busy(random.Random(seed), 0.25)) for seed in range(200)]
    assert words.count(BURSTY) <= 10


def test_a_slow_leak_is_never_steady() -> None:
    """Whatever its pace and phase, a leak that rose at least twice in a watch is not called steady."""
    for every in range(4, 30):
        for phase in range(every):
            values = [1000 + (i + phase) // every for i in range(60)]
            if values[-1] - values[0] >= 2:
                assert word(values) in (GROWING, TOO_SHORT), (every, phase)


def test_what_a_watch_would_have_noticed() -> None:
    """`at_most` holds the true rate of leaks that come by chance, 19 times in 20, and shrinks as the watch goes on."""
    missed = 0
    for seed in range(300):
        rng = random.Random(seed)
        rate = rng.choice((0.01, 0.03, 0.1))
        value, values = 50, []
        for _ in range(120):
            value += rng.random() < rate
            values.append(value)
        missed += course(values).at_most < rate * 3600  # type: ignore[attr-defined]
    assert missed <= 15
    short, long = course([3] * 60), course([3] * 600)
    assert long.at_most < short.at_most / 9  # type: ignore[attr-defined]
    needed = trend.seconds_to_notice(5.0)
    assert needed
    assert course([3] * 61, interval=needed / 60).at_most == pytest.approx(5.0)  # type: ignore[attr-defined]
