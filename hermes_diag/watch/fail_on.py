"""Conditions of `sockets --fail-on`: what is measured, in which units, and whether one holds. Pure.

    fds | threads | rss                         a level, of each sample
    STATE.age                                   how long the oldest socket is in that state, at least
    STATE.growth | fds.growth | threads.growth | rss.growth   how fast it grows, of a whole watch
    UNIT    fds: none or % of the soft limit; rss: K M G; age: ms s m h d; growth: /s /min /h /d, of rss K/h M/h ...

The grammar is that of core/conditions; a state is written as --state takes it.

A number of sockets is not a metric: a healthy idle pool holds CLOSE_WAIT sockets, too. A watchdog that acted on
their number ended a healthy gateway every three minutes. Growth and age tell a leak.
"""

from __future__ import annotations

from dataclasses import dataclass

from hermes_diag.core import conditions, units
from hermes_diag.core.errors import UsageError
from hermes_diag.core.text import quoted
from hermes_diag.watch import trend
from hermes_diag.watch.filters import state_named
from hermes_diag.watch.records import Course, Held, Tick

LEVEL, AGE, GROWTH = "level", "age", "growth"
RSS = "rss"

#: Nobody holds a descriptor of such sockets, so that no process has any.
_OWNERLESS = ("TIME_WAIT", "SYN_RECV")
_EXAMPLES = "write for example 'close_wait.growth > 5/h', 'fds > 80%' or 'close_wait.age > 10m'"
_PER = {"/s": 3600.0, "/m": 60.0, "/min": 60.0, "/h": 1.0, "/d": 1 / 24}


@dataclass(frozen=True)
class Condition:
    """One condition. `limit` is in fds, a part of 1, threads, bytes, seconds or per hour."""

    text: str
    kind: str
    metric: str  # "fds", "threads", "rss" or a state
    op: str
    limit: float
    share: bool = False  # of the soft limit

    def is_true_of(self, value: float) -> bool:
        return conditions.holds(self.op, value, self.limit)


def parse(text: str) -> Condition:
    """A condition as users write it. Raises UsageError."""
    said = f"--fail-on {quoted(text)}"
    plain, name, aspect, op, limit, unit = conditions.parse(text, said, _EXAMPLES)
    state = state_named(name) or ""
    if state in _OWNERLESS:
        raise UsageError(
            f"{said}: sockets in {state} belong to no process, so that this could never hold",
            "close_wait.growth and fds.growth tell a leak; a look shows what nobody holds under States",
        )
    if aspect == "growth" and (state or name in ("fds", "threads", RSS)):
        size, slash, per = unit.partition("/")
        if slash + per not in _PER or (size and name != RSS) or size.upper() not in units.BYTES:
            raise UsageError(f"{said}: growth per what?", "add /h, /min, /s or /d; of rss M/h")
        return Condition(plain, GROWTH, state or name, op, limit * units.BYTES[size.upper()] * _PER[slash + per])
    if aspect == "age" and state:
        if unit not in units.SECONDS:
            raise UsageError(f"{said}: an age has a unit", "add ms, s, m, h or d")
        return Condition(plain, AGE, state, op, limit * units.SECONDS[unit])
    if aspect:
        raise UsageError(
            f"{said}: {name}.{aspect} is nothing that is measured",
            "fds, threads, rss and states have .growth, states have .age",
        )
    if state:
        raise UsageError(
            f"{said}: a number of sockets alone tells no leak: a healthy idle pool holds CLOSE_WAIT sockets, too",
            f"use {name}.growth or {name}.age",
        )
    return _level(said, plain, name, op, limit, unit)


def _level(said: str, plain: str, name: str, op: str, limit: float, unit: str) -> Condition:
    if name == "fds" and unit == "%":
        return Condition(plain, LEVEL, "fds", op, limit / 100, share=True)
    if name == "rss" and unit.upper() in units.BYTES:
        return Condition(plain, LEVEL, "rss", op, limit * units.BYTES[unit.upper()])
    if name not in ("fds", "threads", "rss"):
        raise UsageError(f"{said}: {name!r} is nothing that is measured", _EXAMPLES)
    if unit:
        raise UsageError(f"{said}: {unit!r} is no unit of {name}", _EXAMPLES)
    return Condition(plain, LEVEL, name, op, limit)


def at_tick(condition: Condition, tick: Tick) -> Held:
    """A level or an age, judged by one sample."""
    if condition.kind == AGE:
        count = tick.closed if condition.metric == "CLOSE" else tick.states.get(condition.metric, 0)
        if count is None:
            return Held(condition.text, None, f"{condition.metric} cannot be seen")
        if not count:  # no socket in that state, no age
            return Held(condition.text, False, f"no {condition.metric}")
        seconds = tick.oldest.get(condition.metric)
        if seconds is None:
            return Held(condition.text, None, "ages cannot be seen in one look here; add --watch")
        what = f"the oldest of {count} is in {condition.metric} for at least {units.duration(seconds)}"
        return Held(condition.text, condition.is_true_of(seconds), what)
    value: float | None = getattr(tick, "used" if condition.share else condition.metric)
    if value is None:
        what = "no soft limit is known" if condition.share else f"{condition.metric} cannot be seen"
        return Held(condition.text, None, what)
    return Held(condition.text, condition.is_true_of(value), _level_words(condition, value, tick))


def _level_words(condition: Condition, value: float, tick: Tick) -> str:
    if condition.share:
        return f"{value:.0%} of the soft limit of {tick.limit:,}"
    return units.size(value) if condition.metric == "rss" else f"{value:,.0f} {condition.metric}"


def at_end(condition: Condition, course: Course) -> Held:
    """Growth, judged by a whole watch.

    A number that is growing has its rate, one that is not has the rate 0. A watch notices only growth above a certain
    rate (`at_most`): a limit between the two cannot be told. A limit of 0 asks only whether it is growing.
    """
    found = f"{course.name} {course.word}: {_text(course)}"
    if course.at_most is None:
        return Held(condition.text, None, found)
    growing = course.word == trend.GROWING and course.per_hour is not None
    rate = course.per_hour if growing and course.per_hour is not None else 0.0
    held = condition.is_true_of(rate)
    if (growing and held) or condition.is_true_of(course.at_most) == held:
        return Held(condition.text, held, found)
    if condition.limit == 0 and course.word != trend.TOO_SHORT:
        return Held(condition.text, held, found)
    unseen = f"growth of up to {_rate(course, course.at_most)} would not have shown"
    return Held(condition.text, None, f"{found}; {unseen}{_cure(condition.limit, course)}")


def _rate(course: Course, per_hour: float) -> str:
    return f"{units.size(per_hour)}/h" if course.name == RSS else units.rate(per_hour)


def _text(course: Course) -> str:
    """A course explained; of memory in bytes that one can read."""
    if course.name != RSS or course.per_hour is None:
        return course.text
    return f"by {units.size(max(0.0, course.per_hour))}/h, from {units.size(course.first)} to {units.size(course.last)}"


def _cure(limit: float, course: Course) -> str:
    """How long to watch."""
    if limit <= 0:
        return ""
    needed = trend.seconds_to_notice(limit, course.pace)
    if needed is None:
        return ", watch longer"
    # The last sample may come up to an interval before the end. Where the watch was long enough to count so few
    # rises, that number is too uncertain: twice as long helps.
    needed = needed + course.interval if needed > course.seconds else 2 * course.seconds
    return f", watch for {units.at_least(needed)} at least"
