"""What is said of watches with known contents, as a whole: words, rates, conditions and the sentence.

They are kept in tests/golden/courses.txt and tests/golden/watches.txt (golden_text.py writes them anew).
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import golden_text
from conftest import GOLDEN
from test_timeline import WATCHED, belongings, leak, look, process, row, watch
from test_trend import queue, square

from hermes_diag.core.sockets import SocketRow
from hermes_diag.watch import trend
from hermes_diag.watch.records import Course, Ended, Look, Summary
from hermes_diag.watch.timeline import Timeline
from hermes_diag.watch.tracker import Tracker


def walk(seed: int, length: int, *steps: int) -> list[int]:
    """A number that goes up and down by chance."""
    rng, value, values = random.Random(seed), 20, []
    for _ in range(length):
        value = max(0, value + rng.choice(steps))
        values.append(value)
    return values


#: name -> the values, one a second
SERIES: dict[str, list[int]] = {
    "nothing": [],
    "one": [7],
    "nine": [0] * 9,
    "ten of none": [0] * 10,
    "three": [3] * 60,
    "three and four": [3, 4] * 30,
    "three to five": [3, 5] * 30,
    "three to six": [3, 6] * 30,
    "a hundred and ten": [100, 110] * 30,
    "a hundred and eleven": [100, 111] * 30,
    "one each": list(range(60)),
    "one each, ten": list(range(10)),
    "one each, 159": list(range(159)),
    "one each, 160": list(range(160)),
    "one each, 161": list(range(161)),
    "one each, 1,000": list(range(1000)),
    "one of four": [i // 4 for i in range(60)],
    "one of fifteen on a thousand": [1000 + i // 15 for i in range(60)],
    "one of 25 on a thousand": [1000 + i // 25 for i in range(60)],
    "bursts": [0] * 5 + [10] * 5 + [0] * 5 + [12] * 5 + [0] * 5 + [9] * 5 + [0] * 5,
    "bursts from a base": [2 + (15 if i % 8 < 2 else 0) for i in range(80)],
    "bursts on a leak": [i // 2 + (15 if i % 8 < 2 else 0) for i in range(80)],
    "down": [20 - i for i in range(20)],
    "a step": [0] * 20 + [10] * 40,
    "a late step": [0] * 40 + [10] * 20,
    "a step of one, early": [3] * 10 + [4] * 50,
    "a step of one, at half": [3] * 30 + [4] * 30,
    "steps": [0] * 10 + [2] * 5 + [5] * 5 + [9] * 40,
    "steps to the end": [3] * 20 + [4] * 20 + [5] * 20,
    "up at the end": [0] * 30 + [10, 11, 13, 12, 15, 18, 17, 19, 20, 25],
    "up by an eighth": [0, 8] * 20 + [1, 8] * 10,
    "up by more than an eighth": [0, 8] * 20 + [2, 8] * 10,
    "back after a step": [5] * 20 + [9] * 20 + [5] * 20,
    "slow and back": [7] * 10 + [8] * 15 + [7] * 2 + [8] * 10 + [9] * 23,
    "large numbers": [10_000 + 7 * i for i in range(50)],
    **{f"square {seed}": square(random.Random(seed)) for seed in range(8)},
    **{f"square on a leak {seed}": [v + i for i, v in enumerate(square(random.Random(seed)))] for seed in range(8)},
    **{f"queue {seed}": queue(random.Random(seed)) for seed in range(8)},
    **{f"walk {seed}": walk(seed, 40 + 30 * seed, -1, 0, 1) for seed in range(8)},
    **{f"walk up {seed}": walk(seed, 40 + 30 * seed, -1, 0, 1, 1) for seed in range(8)},
}


def course(values: Iterable[int]) -> Course:
    series = trend.Series()
    for at, value in enumerate(values):
        series.add(5.0 + at, value)
    return trend.judge("fds", series)


def line(one: Course) -> str:
    """A course with all its numbers."""
    numbers = [one.per_hour, one.per_hour_low, one.per_hour_high, one.at_most, one.pace, one.seconds, one.interval]
    shown = " ".join("-" if number is None else f"{number:.4g}" for number in (*numbers, one.tells))
    return f"{one.name}: {one.word}, {one.text}\n  {one.first} {one.last} {one.low} {one.high} {one.stay} | {shown}\n"


def test_courses() -> None:
    """Each series with its word and numbers; how long one must watch; what a count may have been."""
    text = "".join(f"# {name}\n{line(course(values))}" for name, values in SERIES.items())
    for limit, pace in ((1, 0), (10, 0), (3600, 0), (3600, 60), (60, 59), (60, 60), (60, 61)):
        text += f"{limit} an hour beside {pace} shows after {trend.seconds_to_notice(limit, pace)} s\n"
    for count in (0, 0.5, 1, 4, 100):
        text += f"{count} seen: {trend.counted(count)}\n"
    for name in ("a step", "a late step", "steps", "steps to the end", "bursts", "square 1", "walk up 2"):
        series = trend.Series()
        for at, value in enumerate(SERIES[name]):
            series.add(at, value)
        text += f"{name}: quiet for {trend.quiet(series)} s\n"
    golden_text.same(GOLDEN / "courses.txt", text)


# --- whole watches -------------------------------------------------------------------------------------

KINDS = (("eventpoll", "anon_inode:[eventpoll]"), ("unix", "socket:[1]"), ("unix", "socket:[2]"))
SOCKETS = {str(n): ("TCP", f"socket:[{n}]") for n in range(40)}
CLOSING = [row("CLOSE_WAIT", "9.9.9.1", number) for number in (1, 2)]
UNREAD = [row("CLOSE_WAIT", "9.9.9.1", number)._replace(recv_q=5000) for number in range(1, 4)]
WAITS = [row("ESTABLISHED", "9.9.9.1", number)._replace(recv_q=5000) for number in range(1, 4)]
CONDITIONS = (
    "fds > 55", "close_wait.growth > 5/h", "close_wait.age > 10s", "fds.growth > 0/h", "rss >= 51MB",
    "last_ack.growth > 2/s", "close.growth > 1/min", "close.age > 50s", "rss.growth > 0/h", "threads.growth > 1/h",
)  # fmt: skip


def loops(paired: int, alone: int = 0) -> list[Look]:
    """Event loops that leak, some without their sockets."""
    looks = []
    for i in range(60):
        held = {f"{n}{k}": kind for n in range(i * paired // 59) for k, kind in enumerate(KINDS)}
        held |= {f"x{n}": KINDS[0] for n in range(i * alone // 59)}
        looks.append(belongings(i, held))
    return looks


def files(count: int, folders: int) -> list[Look]:
    return [belongings(i, {str(n): ("file", f"/f{n % folders}/{n % count}") for n in range(i)}) for i in range(60)]


def ports(count: int, listening: frozenset[int] = frozenset()) -> Look:
    waiting = tuple(SocketRow("TIME_WAIT", ("10.0.0.1", 2000 + i), ("9.9.9.1", 443)) for i in range(count))
    return replace(look([row("ESTABLISHED", "9.9.9.1", 1)]), unowned=waiting, ports=100, listening=listening)


def listener(waiting: int) -> Look:
    one = SocketRow("LISTEN", ("127.0.0.1", 8000), ("0.0.0.0", 0), recv_q=waiting, send_q=5, inode=77)
    return replace(look([one]), backend="sock_diag")


def pair(first: int, second: int, limits: tuple[int | None, int | None] = (1000, 4000)) -> Look:
    processes = process(1, first, 0), process(2, second, 0)
    return look(processes=tuple(replace(one, soft_limit=most) for one, most in zip(processes, limits, strict=True)))


#: name -> the looks, one a second
WATCHES: dict[str, list[Look]] = {
    "nothing": [],
    "one look": [look(CLOSING)],
    "nine looks": [look(CLOSING)] * 9,
    "idle": [look()] * 60,
    "the same ones": [look(CLOSING)] * 20,
    "the same ones and new connections": [
        look([*CLOSING, row("ESTABLISHED", "9.9.9.1", 100 + i // 4)]) for i in range(20)
    ],
    "others each time": [look(row("CLOSE_WAIT", "9.9.9.1", i + n) for n in (0, 1)) for i in range(20)],
    "another each time": [look([row("CLOSE_WAIT", "9.9.9.1", i)]) for i in range(20)],
    "the same one": [look(CLOSING[:1])] * 20,
    "a pool that warms up": [look(row("CLOSE_WAIT", "9.9.9.1", n) for n in range(1, min(i, 6) + 1)) for i in range(60)],
    "one late": [look(CLOSING[: i // 50]) for i in range(60)],
    "two late": [look(CLOSING[: i // 25]) for i in range(60)],
    "a leak": leak(["9.9.9.1"]),
    "a leak towards two": leak(["9.9.9.1", "9.9.9.1", "9.9.9.2"]),
    "a leak towards seven": leak([f"9.9.9.{i}" for i in range(7)]),
    "a leak towards thirty": leak([f"9.9.9.{i}" for i in range(30)]),
    "a short leak": leak(["9.9.9.1"])[:9],
    "an established leak": [look(row("ESTABLISHED", "9.9.9.1", n) for n in range(i)) for i in range(60)],
    "connections that come and go": [
        look(row("ESTABLISHED", "9.9.9.1", n) for n in range(i * 3, i * 3 + 5)) for i in range(60)
    ],
    "nobody's": [
        replace(look(), unowned=tuple(row("ESTABLISHED", "9.9.9.1", n) for n in range(i))) for i in range(60)
    ],
    "only a descriptor": [look(closed=tuple((1, 50 + n, 700 + n) for n in range(i))) for i in range(60)],
    "only a descriptor, unseen": [look(closed=None)] * 60,
    "files": files(1, 1), "five files": files(5, 1), "six files": files(6, 1), "many files": files(60, 1),
    "many files in two folders": files(60, 2), "many files in many": files(60, 60),
    "event loops": loops(30), "event loops without sockets": loops(0, 30), "event loops, some without": loops(24, 3),
    "two event loops": loops(2), "three event loops": loops(3),
    "threads": [belongings(i, {"1": ("file", "/x")}, threads=1 + i // 2) for i in range(60)],
    "full": [replace(belongings(1, {"1": ("file", "/x")}), processes=(process(1, 40, 40),))] * 30,
    "full now and then": [
        replace(belongings(1, SOCKETS), processes=(process(1, 40 - (i % 3 > 0), 40),)) for i in range(30)
    ],
    "one of two is full": [pair(40, 7, (40, 40))] * 30,
    "unread": [look(UNREAD)] * 30,
    "unread, short": [look(UNREAD)] * 10,
    "read slowly": [look(one._replace(recv_q=5000 + i) for one in UNREAD) for i in range(30)],
    "established and unread": [look(WAITS)] * 30,
    "few ports": [ports(30)] * 20, "many ports": [ports(60)] * 20, "out of ports": [ports(95)] * 20,
    "ports of a server": [ports(95, frozenset(range(1, 3000)))] * 20,
    "a full queue": [listener(6)] * 20, "a queue with room": [listener(5)] * 20,
    "a queue that was full": [listener(6)] * 3 + [listener(5)] * 17, "a full queue, short": [listener(6)] * 10,
    "two processes": [pair(100 + i, 500 + 2 * i) for i in range(60)],
    "one grows as the other shrinks": [pair(100 + i, 500 - i) for i in range(60)],
    "two processes without limits": [pair(100 + i, 500, (None, None)) for i in range(60)],
    "one descriptor more": [look(processes=(process(1, 100 + i // 50, 1000),)) for i in range(60)],
    "a process near its limit": [look(processes=(process(1, 900 + i, 1000),)) for i in range(60)],
    "memory": [look(processes=(replace(process(1, 9, 99), rss=(50 + i) << 20),)) for i in range(60)],
    "shared": [look([*CLOSING, CLOSING[0]._replace(pid=2)], (process(1, 9, 99), process(2, 9, 99)))] * 20,
}  # fmt: skip


def told(found: Summary) -> str:
    """The sentence, the exit code, each course and condition, and what is counted besides."""
    text = f"{found.exit_code}: {found.verdict}\n"
    text += "".join(map(line, found.courses))
    text += "".join(f"{one.condition}: {one.held}, {one.found}\n" for one in found.conditions)
    limit = "-" if found.until_limit is None else f"{found.until_limit:.1f}"
    counted = (found.opened, found.gone, found.oldest)
    shown = [", ".join(f"{name} {count:g}" for name, count in list(one.items())[:4]) or "none" for one in counted]
    shown += [f"{found.samples} samples, {found.missed} missed, in {found.seconds:g} s, {found.worst_late:g} s late"]
    return text + f"limit {found.limit}, reached in {limit} s; opened, gone, oldest: {'; '.join(shown)}\n"


def test_watches() -> None:
    """Each by itself, and each with conditions."""
    text = "".join(f"# {name}\n{told(watch(looks))}\n" for name, looks in WATCHES.items())
    for name, looks in WATCHES.items():
        found = watch(looks, *CONDITIONS)
        held = ", ".join(f"{one.condition} {one.held} ({one.found})" for one in found.conditions)
        text += f"# {name}, with conditions\n{found.exit_code}: {found.verdict}\n{held}\n\n"
    golden_text.same(GOLDEN / "watches.txt", text)


def test_ends_of_a_watch() -> None:
    """However it ended; a watch that stood still, was late, and missed samples."""
    text = ""
    for how in ("done", "interrupted", "exited", "replaced", "lost", "condition", "cut"):
        for name in ("a process near its limit", "idle"):
            timeline, tracker = Timeline(WATCHED), Tracker()
            for at, one in enumerate(WATCHES[name]):
                timeline.add(tracker.tick(one, at, 0.0))
            found = timeline.summary(Ended(how, "so it was"))
            text += f"# {name}, {how}\n{found.exit_code} {found.interrupted}: {found.verdict}\n"
    for still in (0.0, 0.1, 0.6):
        timeline, tracker = Timeline(WATCHED), Tracker()
        for at, one in enumerate(WATCHES["a leak"]):
            timeline.add(replace(tracker.tick(one, 2 * at, 0.01 * at), still=2 * still))
        found = timeline.summary(Ended("done"))
        text += f"# still for {still:.0%} of the time\n{told(found)}"
    golden_text.same(GOLDEN / "watch_ends.txt", text)
