"""Simulated watches with a known truth, for `scripts/truth watch`: the births and deaths of each socket.

A watch lasts from 0 to 1. A life is (born, died, remote): born before 0 where the socket was there already, died
after 1 where it outlives the watch. `FOREVER` is a socket that nobody closes.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator

Life = tuple[float, float, int]
Make = Callable[[random.Random], list[Life]]

FOREVER = 1e9
BEFORE = -4.0  # when the past begins: long enough for a load to come to its balance


def arrivals(rng: random.Random, rate: Callable[[float], float], most: float, begin: float = BEFORE) -> Iterator[float]:
    """Moments of a Poisson process whose rate changes."""
    at = begin
    while True:
        at += rng.expovariate(most)
        if at >= 1:
            return
        if rng.random() * most < rate(at):
            yield at


def load(
    rng: random.Random,
    rate: Callable[[float], float],
    most: float,
    life: Callable[[], float],
    remotes: int = 3,
    begin: float = BEFORE,
) -> list[Life]:
    """Sockets that come at a rate and live for a while."""
    return [(at, at + life(), rng.randrange(remotes)) for at in arrivals(rng, rate, most, begin)]


def spread(rng: random.Random, low: float, high: float) -> float:
    """A number between the two, as often in each factor of two."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def noise(rng: random.Random, level: float | None = None, life: float | None = None) -> list[Life]:
    """So many sockets on average, each for a short time."""
    life = spread(rng, 0.005, 0.03) if life is None else life
    level = spread(rng, 1, 30) if level is None else level
    return load(rng, lambda t: level / life, level / life, lambda: rng.expovariate(1 / life), begin=-10 * life)


def pool(rng: random.Random, size: int | None = None) -> list[Life]:
    """Connections that are kept all the time."""
    return [(-1.0, FOREVER, 0)] * (size if size is not None else rng.randint(1, 30))


# --- healthy -------------------------------------------------------------------------------------


def idle_pool(rng: random.Random) -> list[Life]:
    return pool(rng)


def replaced_pool(rng: random.Random) -> list[Life]:
    """A pool in which now and then a connection is dropped and made anew."""
    lives: list[Life] = []
    mean = spread(rng, 0.1, 3)
    for _ in range(rng.randint(3, 30)):
        at = BEFORE
        while at < 1:
            end = at + rng.expovariate(1 / mean)
            lives.append((at, end, 0))
            at = end + 0.001
    return lives


def stationary_noise(rng: random.Random) -> list[Life]:
    return noise(rng)


def many_short(rng: random.Random) -> list[Life]:
    return noise(rng, spread(rng, 40, 90), 0.01)


def crowd(rng: random.Random) -> list[Life]:
    """Lives of a tenth of the watch."""
    life = spread(rng, 0.05, 0.2)
    return load(rng, lambda t: 20 / life, 20 / life, lambda: rng.expovariate(1 / life), begin=-3)


def lognormal_lives(rng: random.Random) -> list[Life]:
    median, rate = spread(rng, 0.01, 0.05), spread(rng, 60, 400)
    return load(rng, lambda t: rate, rate, lambda: rng.lognormvariate(math.log(median), rng.uniform(1, 1.5)))


def pareto_lives(rng: random.Random) -> list[Life]:
    shape, rate = rng.uniform(1.3, 2.5), spread(rng, 60, 400)
    return load(rng, lambda t: rate, rate, lambda: 0.01 * rng.paretovariate(shape))


def modulated(rng: random.Random, memory: float) -> Callable[[float], float]:
    """exp of a slowly wandering number (AR(1)) as a function of time."""
    step, value, values = memory / 8, 0.0, []
    keep = math.exp(-step / memory)
    for _ in range(int((1 - BEFORE) / step) + 2):
        value = keep * value + math.sqrt(1 - keep**2) * rng.gauss(0, 0.5)
        values.append(math.exp(min(value, 1.5)))
    return lambda t: values[int((t - BEFORE) / step)]


def wandering(rng: random.Random) -> list[Life]:
    life, level = spread(rng, 0.01, 0.03), spread(rng, 5, 25)
    factor = modulated(rng, 0.05)
    return load(
        rng, lambda t: level / life * factor(t), 4.5 * level / life, lambda: rng.expovariate(1 / life), begin=-1
    )


def wandering_slowly(rng: random.Random) -> list[Life]:
    life, level = spread(rng, 0.01, 0.05), spread(rng, 5, 20)
    factor = modulated(rng, 0.4)
    return load(
        rng, lambda t: level / life * factor(t), 4.5 * level / life, lambda: rng.expovariate(1 / life), begin=-1
    )


def teeth(rng: random.Random, period: float) -> list[Life]:
    """One after the other is opened, and at the end of a period all are closed."""
    lives, begin = [], -period * rng.random()
    height = rng.randint(4, 40)
    while begin < 1:
        lives += [(begin + period * i / height, begin + period, 0) for i in range(height)]
        begin += period
    return lives


def sawtooth(rng: random.Random) -> list[Life]:
    return teeth(rng, spread(rng, 0.03, 0.25))


def long_sawtooth(rng: random.Random) -> list[Life]:
    return teeth(rng, rng.uniform(0.3, 0.6))


def bursts(rng: random.Random) -> list[Life]:
    lives = noise(rng, 3)
    for at in arrivals(rng, lambda t: 12, 12, -0.3):
        end = at + spread(rng, 0.01, 0.08)
        lives += [(at + rng.random() * 0.005, end + rng.random() * 0.01, 1) for _ in range(rng.randint(3, 40))]
    return lives


def long_bursts(rng: random.Random) -> list[Life]:
    lives = pool(rng, 4)
    for at in arrivals(rng, lambda t: 4, 4, -0.5):
        end = at + spread(rng, 0.08, 0.3)
        lives += [(at + rng.random() * 0.01, end + rng.random() * 0.02, 1) for _ in range(rng.randint(3, 30))]
    return lives


def step_of_a_pool(rng: random.Random) -> list[Life]:
    at = rng.uniform(0.1, 0.9)
    new = [(at + rng.random() * 0.03, FOREVER, 1) for _ in range(rng.randint(3, 40))]
    return pool(rng) + new + noise(rng, rng.choice((0.5, 5)))


def step_of_load(rng: random.Random) -> list[Life]:
    at, life, level, by = rng.uniform(0.1, 0.9), spread(rng, 0.01, 0.05), spread(rng, 3, 20), rng.uniform(1.5, 4)
    rate = level / life
    return load(rng, lambda t: rate * (by if t > at else 1), rate * by, lambda: rng.expovariate(1 / life), begin=-1)


def two_steps(rng: random.Random) -> list[Life]:
    lives = pool(rng) + noise(rng, 3)
    for at in (rng.uniform(0.1, 0.5), rng.uniform(0.5, 0.9)):
        lives += [(at + rng.random() * 0.02, FOREVER, 1) for _ in range(rng.randint(2, 20))]
    return lives


def step_down(rng: random.Random) -> list[Life]:
    at = rng.uniform(0.1, 0.9)
    return [(-1.0, at + rng.random() * 0.02, 0)] * rng.randint(3, 30) + pool(rng, 5) + noise(rng, 5)


def up_and_down(rng: random.Random) -> list[Life]:
    at = rng.uniform(0.05, 0.6)
    end = at + rng.uniform(0.1, 0.6)
    up = [(at + rng.random() * 0.1, end + rng.random() * 0.1, 1) for _ in range(rng.randint(5, 40))]
    return pool(rng, 4) + noise(rng, 3) + up


def wave(rng: random.Random, period: float, life: float) -> list[Life]:
    phase, rate = rng.random() * math.tau, spread(rng, 5, 30) / life

    def at(t: float) -> float:
        return rate * (1 + 0.8 * math.sin(math.tau * t / period + phase))

    return load(rng, at, 1.8 * rate, lambda: rng.expovariate(1 / life), begin=-1)


def waves(rng: random.Random) -> list[Life]:
    return wave(rng, spread(rng, 0.15, 0.5), spread(rng, 0.01, 0.05))


def long_waves(rng: random.Random) -> list[Life]:
    return wave(rng, spread(rng, 0.8, 4), spread(rng, 0.01, 0.05))


def wave_of_a_pool(rng: random.Random) -> list[Life]:
    """A pool that opens as the load rises and drops the last opened as it falls."""
    period, phase, size = spread(rng, 0.2, 0.9), rng.random() * math.tau, rng.randint(5, 40)
    open_at: list[float] = []
    lives: list[Life] = []
    for i in range(-1000, 1001):
        t = i / 1000
        wanted = round(size * (1 + 0.7 * math.sin(math.tau * t / period + phase)))
        while len(open_at) < wanted:
            open_at.append(t)
        while len(open_at) > wanted:
            lives.append((open_at.pop(), t, 0))
    return lives + [(t, FOREVER, 0) for t in open_at]


def warming(rng: random.Random, tau: float) -> list[Life]:
    size = rng.randint(5, 60)
    return [(rng.expovariate(1 / tau), FOREVER, 0) for _ in range(size)] + noise(rng, rng.choice((0.5, 5)))


def warm_up(rng: random.Random) -> list[Life]:
    return warming(rng, spread(rng, 0.03, 0.12))


def slow_warm_up(rng: random.Random) -> list[Life]:
    return warming(rng, rng.uniform(0.12, 0.3))


def straight_warm_up(rng: random.Random) -> list[Life]:
    end, size = rng.uniform(0.1, 0.6), rng.randint(5, 60)
    return [(end * i / size, FOREVER, 0) for i in range(size)] + noise(rng, 3)


def queue(rng: random.Random, use: float, in_order: bool) -> list[Life]:
    """One server, and sockets that wait for it; a random one is next, or the one that waits longest."""
    served, waiting, lives, at = spread(rng, 80, 400), [], [], -2.0
    free = at
    while at < 1:
        at += rng.expovariate(served * use)
        while waiting and free < at:
            begun = waiting.pop(0 if in_order else rng.randrange(len(waiting)))
            free = max(free, begun) + rng.expovariate(served)
            lives.append((begun, free, 0))
        waiting.append(at)
        if len(waiting) > 60:  # a full backlog turns connections away
            waiting.pop()
    return lives + [(begun, 2.0, 0) for begun in waiting if begun < 1]


def queue_in_order(rng: random.Random) -> list[Life]:
    return queue(rng, rng.uniform(0.8, 0.97), True)


def queue_at_random(rng: random.Random) -> list[Life]:
    return queue(rng, rng.uniform(0.8, 0.97), False)


def ramp(rng: random.Random, life: float) -> list[Life]:
    by, rate = rng.uniform(1, 5), spread(rng, 3, 12) / life

    def at(t: float) -> float:
        return rate * (1 + by * max(0.0, t))

    return load(rng, at, rate * (1 + by), lambda: rng.expovariate(1 / life), begin=-10 * life)


def load_ramp(rng: random.Random) -> list[Life]:
    return ramp(rng, spread(rng, 0.005, 0.03))


def load_ramp_of_long_lives(rng: random.Random) -> list[Life]:
    return ramp(rng, spread(rng, 0.03, 0.1))


def rotating(rng: random.Random) -> list[Life]:
    """So many at any time, each closed at a fixed age."""
    life, size, lives = spread(rng, 0.05, 0.5), rng.randint(3, 40), []
    at = -life * 2
    while at < 1:
        lives.append((at, at + life, 0))
        at += life / size
    return lives


def rotating_at_random(rng: random.Random) -> list[Life]:
    life, size = spread(rng, 0.05, 0.4), rng.randint(5, 40)
    return load(rng, lambda t: size / life, size / life, lambda: life * rng.uniform(0.7, 1.3), begin=-3)


def as_long_as_the_watch(rng: random.Random) -> list[Life]:
    size = rng.randint(5, 40)
    life = rng.uniform(0.7, 1.3)
    return load(rng, lambda t: size / life, size / life, lambda: life * rng.uniform(0.6, 1.4))


def long_random_lives(rng: random.Random) -> list[Life]:
    size = rng.randint(5, 40)
    life = rng.uniform(0.4, 1.2)
    return load(rng, lambda t: size / life, size / life, lambda: rng.expovariate(1 / life))


def ceiling(rng: random.Random) -> list[Life]:
    """A cache of so many at most: the oldest goes when it is full."""
    size, rate = rng.randint(5, 40), 0.0
    rate = size / rng.uniform(0.15, 0.5)
    births = sorted(arrivals(rng, lambda t: rate, rate, 0.0))
    return [(at, births[i + size] if i + size < len(births) else FOREVER, 0) for i, at in enumerate(births)]


def ceiling_that_refuses(rng: random.Random) -> list[Life]:
    """A pool of so many at most, reached in the first two thirds: further requests wait."""
    size = rng.randint(5, 40)
    rate = size / rng.uniform(0.15, 0.65)
    births = sorted(arrivals(rng, lambda t: rate, rate, 0.0))[:size]
    return [(at, FOREVER, 0) for at in births] + noise(rng, 2)


def moving_house(rng: random.Random) -> list[Life]:
    """Connections to one remote are given up, and as many to another are made."""
    begin = rng.uniform(0.0, 0.6)
    lives = []
    for _ in range(rng.randint(5, 30)):
        at = begin + rng.random() * 0.25
        lives += [(-1.0, at, 0), (at, FOREVER, 1)]
    return lives + noise(rng, 4)


def all_anew(rng: random.Random) -> list[Life]:
    """At some moments all connections are made anew."""
    moments = sorted([-1.0, *(rng.uniform(0, 1) for _ in range(rng.randint(1, 4)))])
    lives: list[Life] = []
    size = rng.randint(3, 30)
    for one, end in zip(moments, [*moments[1:], FOREVER], strict=True):
        lives += [(one, end, 0)] * size
    return lives + noise(rng, 3)


def kept_alive(rng: random.Random) -> list[Life]:
    """Bursts, after each of which a pool keeps some of the connections, never more than so many."""
    keep, lives, held = rng.randint(3, 15), [], 0
    for at in sorted(arrivals(rng, lambda t: 10, 10, -0.5)):
        for _ in range(rng.randint(1, 12)):
            stays = held < keep
            held += stays
            lives.append((at, FOREVER if stays else at + spread(rng, 0.01, 0.04), 0))
    return lives


HEALTHY: dict[str, Make] = {
    make.__name__: make
    for make in (
        idle_pool, replaced_pool, stationary_noise, many_short, crowd, lognormal_lives, pareto_lives, wandering,
        wandering_slowly, sawtooth, long_sawtooth, bursts, long_bursts, step_of_a_pool, step_of_load, two_steps,
        step_down, up_and_down, waves, long_waves, wave_of_a_pool, warm_up, slow_warm_up, straight_warm_up,
        queue_in_order, queue_at_random, load_ramp, load_ramp_of_long_lives, rotating, rotating_at_random,
        as_long_as_the_watch, long_random_lives, ceiling, ceiling_that_refuses, moving_house, all_anew, kept_alive,
    )
}  # fmt: skip


# --- leaks ---------------------------------------------------------------------------------------


def leaked(rng: random.Random, count: float, begin: float = 0.0, end: float = 1.0) -> list[Life]:
    """So many on average, at random moments; nobody closes them. They go where the load goes, or elsewhere."""
    rate, remote = count / (end - begin), rng.choice((0, 9))
    return [(at, FOREVER, remote) for at in arrivals(rng, lambda t: rate, rate, begin) if at < end]


def size_of(rng: random.Random) -> float:
    return spread(rng, 8, 90)


def steady_leak(rng: random.Random) -> list[Life]:
    count = int(size_of(rng))
    phase = rng.random()
    return pool(rng) + [((i + phase) / count, FOREVER, 9) for i in range(count)]


def random_leak(rng: random.Random) -> list[Life]:
    return pool(rng) + leaked(rng, size_of(rng))


def leak_from_the_middle(rng: random.Random) -> list[Life]:
    return pool(rng) + noise(rng, 3) + leaked(rng, size_of(rng), rng.uniform(0.3, 0.6))


def leak_in_noise(rng: random.Random) -> list[Life]:
    return noise(rng, spread(rng, 10, 60)) + leaked(rng, size_of(rng))


def leak_in_a_crowd(rng: random.Random) -> list[Life]:
    return crowd(rng) + leaked(rng, size_of(rng))


def leak_under_a_falling_base(rng: random.Random) -> list[Life]:
    count = size_of(rng)
    life, level = spread(rng, 0.01, 0.05), count * rng.uniform(0.7, 1.5)
    rate = level / life
    falling = load(rng, lambda t: rate * max(0.0, 1 - max(0.0, t)), rate, lambda: rng.expovariate(1 / life), begin=-1)
    return falling + leaked(rng, count)


def leak_under_a_falling_pool(rng: random.Random) -> list[Life]:
    count = size_of(rng)
    return [(-1.0, rng.uniform(0, 1.2), 0) for _ in range(int(count * rng.uniform(0.7, 1.5)))] + leaked(rng, count)


def slow_leak(rng: random.Random) -> list[Life]:
    return pool(rng) + noise(rng, 3) + leaked(rng, rng.uniform(3, 9))


def bursty_leak(rng: random.Random) -> list[Life]:
    lives = noise(rng, 5)
    for at in arrivals(rng, lambda t: 10, 10, 0.0):
        lives += [(at + rng.random() * 0.01, at + spread(rng, 0.01, 0.05), 1) for _ in range(rng.randint(3, 20))]
        lives += [(at, FOREVER, 1) for _ in range(rng.randint(1, 5))]
    return lives


def leak_towards_one_remote(rng: random.Random) -> list[Life]:
    return crowd(rng) + rotating(rng) + leaked(rng, size_of(rng))


def share_of_requests(rng: random.Random) -> list[Life]:
    """Some of the requests of a load that comes in waves are never closed."""
    share = rng.uniform(0.01, 0.05)
    return [(born, FOREVER if born > 0 and rng.random() < share else died, to) for born, died, to in waves(rng)]


def share_under_a_ramp(rng: random.Random) -> list[Life]:
    share = rng.uniform(0.01, 0.05)
    return [(born, FOREVER if born > 0 and rng.random() < share else died, to) for born, died, to in load_ramp(rng)]


def leak_beside_a_warm_up(rng: random.Random) -> list[Life]:
    return warm_up(rng) + leaked(rng, size_of(rng))


def leak_that_gc_slows(rng: random.Random) -> list[Life]:
    """Now and then one of the leaked is collected after all."""
    lives = pool(rng) + noise(rng, 3)
    for born, died, to in leaked(rng, size_of(rng)):
        lives.append((born, born + rng.random() * 0.5 if rng.random() < 0.15 else died, to))
    return lives


def leak_that_quickens(rng: random.Random) -> list[Life]:
    count = size_of(rng)
    return pool(rng) + [(rng.random() ** 0.5, FOREVER, 9) for _ in range(int(count))]


LEAKS: dict[str, Make] = {
    make.__name__: make
    for make in (
        steady_leak, random_leak, leak_from_the_middle, leak_in_noise, leak_in_a_crowd, leak_under_a_falling_base,
        leak_under_a_falling_pool, slow_leak, bursty_leak, leak_towards_one_remote, share_of_requests,
        share_under_a_ramp, leak_beside_a_warm_up, leak_that_gc_slows, leak_that_quickens,
    )
}  # fmt: skip


def stopped_leak(rng: random.Random) -> list[Life]:
    return pool(rng) + leaked(rng, size_of(rng), 0.0, rng.uniform(0.2, 0.8))


def stopped_leak_in_noise(rng: random.Random) -> list[Life]:
    return noise(rng, spread(rng, 3, 30)) + leaked(rng, size_of(rng), 0.0, rng.uniform(0.2, 0.8))


def stopped_leak_of_the_middle(rng: random.Random) -> list[Life]:
    begin = rng.uniform(0.2, 0.4)
    return noise(rng, 3) + leaked(rng, size_of(rng), begin, begin + rng.uniform(0.2, 0.4))


STOPPED: dict[str, Make] = {
    make.__name__: make for make in (stopped_leak, stopped_leak_in_noise, stopped_leak_of_the_middle)
}
