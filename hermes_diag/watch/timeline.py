"""The samples of a watch, gathered in bounded memory and judged at its end. Pure.

The same code judges a watch that has just ended and one that is read from a capture.
"""

from __future__ import annotations

import copy
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hermes_diag.core import units
from hermes_diag.core.sockets import CLOSE_WAIT, ESTABLISHED
from hermes_diag.core.status import Status
from hermes_diag.watch import fail_on, trend
from hermes_diag.watch.records import Course, Ended, Held, Summary, Tick, Watched

FDS, THREADS, UNOWNED, CLOSED = "fds", "threads", "ESTABLISHED without owner", "CLOSE (fd only)"

#: What is judged: growth of any of these is a problem. Other states come and go by themselves.
JUDGED = (CLOSE_WAIT, FDS, THREADS)

#: Endpoints whose opened and gone sockets are told one by one; the others are told together, as "others".
ENDPOINTS = 500
#: Samples that a sparkline can show.
RECENT = 60


class Limit(NamedTuple):
    """When a process reaches its soft limit of fds. The first is the smallest."""

    seconds: float
    pid: int
    limit: int


class Timeline:
    """Takes samples as they come. Raises UsageError for a condition that is none."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self._wanted = [fail_on.parse(text) for text in watched.conditions]
        self.series: dict[str, trend.Series] = {name: trend.Series() for name in JUDGED}
        self._times = trend.Series()  # all 0: the history of a state that was not seen before
        self._each: dict[int, trend.Series] = {}  # fds by process, of those that are alive
        self.recent: dict[str, deque[int]] = {}
        self.opened: Counter[str] = Counter()
        self.gone: Counter[str] = Counter()
        self.entered: Counter[str] = Counter()
        self.oldest: dict[str, float] = {}
        self.first: Tick | None = None
        self.last: Tick | None = None
        self.samples = 0
        self.worst_late = 0.0
        self.held: dict[str, Held] = {}  # what was found of conditions: of levels and ages, or as a capture says it

    def add(self, tick: Tick) -> None:
        """Take one sample, and see which of the conditions on levels and ages hold."""
        self.samples += 1
        self.first, self.last = self.first or tick, tick
        self.worst_late = max(self.worst_late, tick.late)
        for name, value in self._numbers(tick).items():
            if name not in self.series:  # a state that is new: it was 0 until now
                self.series[name] = self._zeros()
            self.series[name].add(tick.at, value)
        self._times.add(tick.at, 0)
        self._each = {pid: self._each.get(pid) or trend.Series() for pid in tick.each}
        for pid, (fds, _) in tick.each.items():
            self._each[pid].add(tick.at, fds)
        for name in (*tick.states, *self.recent):
            self.recent.setdefault(name, deque([0] * min(self.samples - 1, RECENT), RECENT))
        for name, values in self.recent.items():
            values.append(tick.states.get(name, 0))
        _count(self.opened, tick.opened)
        _count(self.gone, tick.gone)
        self.entered.update(tick.entered)
        for state, seconds in tick.oldest.items():
            self.oldest[state] = max(seconds, self.oldest.get(state, 0.0))
        for condition in self._wanted:
            if condition.kind != fail_on.GROWTH:
                found = fail_on.at_tick(condition, tick)
                if found.held or not (old := self.held.get(condition.text)) or not old.held:
                    self.held[condition.text] = found

    def _zeros(self) -> trend.Series:
        """As many samples as there were, all 0."""
        return copy.deepcopy(self._times)

    def _numbers(self, tick: Tick) -> dict[str, int]:
        numbers: dict[str, int | None] = {
            **{name: tick.states.get(name, 0) for name in (*self.series, *tick.states) if name.isupper()},
            FDS: tick.fds,
            THREADS: tick.threads,
            CLOSED: tick.closed if tick.closed or CLOSED in self.series else None,
        }
        lost = tick.unowned.get(ESTABLISHED, 0)
        if lost or UNOWNED in self.series:
            numbers[UNOWNED] = lost
        return {name: value for name, value in numbers.items() if value is not None}

    def courses(self, names: Iterable[str] | None = None) -> tuple[Course, ...]:
        """Every number with its word, or those of that names; those that are judged come first."""
        return tuple(trend.judge(name, self.series[name]) for name in names or self.series)

    def summary(self, ended: Ended) -> Summary:
        """Judge what there is."""
        courses = self.courses()
        by_name = {course.name: course for course in courses}
        held = tuple(self.held.get(one.text) or self._at_end(one, by_name) for one in self._wanted)
        first_to_fail = self.first_to_fail()
        limit = first_to_fail.limit if first_to_fail else self.last.limit if self.last else None
        return Summary(
            watched=self.watched,
            samples=self.samples,
            seconds=self.last.at if self.last else 0.0,
            worst_late=self.worst_late,
            ended=ended,
            courses=courses,
            until_limit=first_to_fail.seconds if first_to_fail else None,
            limit=limit,
            opened=dict(self.opened.most_common()),
            gone=dict(self.gone.most_common()),
            oldest=self.oldest,
            last=self.last,
            verdict="; ".join(filter(None, (_said(held), self._verdict(by_name, first_to_fail)))),
            conditions=held,
            status=_status(ended, by_name, held, self.samples, first_to_fail is not None),
            interrupted=ended.how == "interrupted",
        )

    def _at_end(self, condition: fail_on.Condition, courses: dict[str, Course]) -> Held:
        """A condition that no sample could decide."""
        if condition.kind != fail_on.GROWTH:
            return Held(condition.text, None, "not one sample was taken")
        return fail_on.at_end(condition, self._course(condition.metric, courses))

    def _course(self, metric: str, courses: dict[str, Course]) -> Course:
        """The course of a metric; a state that never was seen has been 0 all the time."""
        name = CLOSED if metric == "CLOSE" else metric
        if name == CLOSED and self.last is not None and self.last.closed is None:
            return Course(name, trend.UNKNOWN, "cannot be seen")
        return courses.get(name) or trend.judge(name, self._times)

    def first_to_fail(self) -> Limit | None:
        """The process that is the first to reach its limit if each goes on as it does, if one does."""
        found = []
        for pid, series in self._each.items():
            fds, limit = self.last.each[pid] if self.last else (0, None)
            if limit is None:
                continue
            course = trend.judge(FDS, series)
            if course.word == trend.GROWING and course.per_hour:
                found.append(Limit(max(0, limit - fds) / course.per_hour * 3600, pid, limit))
        return min(found, default=None)

    def _verdict(self, courses: dict[str, Course], first_to_fail: Limit | None) -> str:
        if not self.samples:
            return "no sample was taken: nothing can be said"
        judged = [courses[name] for name in JUDGED]
        growing = [course for course in judged if course.word == trend.GROWING]
        if growing or first_to_fail:
            parts = [f"{course.name} by {units.rate(course.per_hour or 0)}" for course in growing]
            parts = parts or [f"fds of process {first_to_fail.pid}" if first_to_fail else ""]
            text = "growing: " + ", ".join(parts) + self._whereto(growing)
            return text + (self._until(first_to_fail) if first_to_fail else "")
        named = ", ".join(course.name for course in judged if course.word == trend.TOO_SHORT)
        if courses[CLOSE_WAIT].word == trend.TOO_SHORT:
            return f"too short to tell: {named}"
        text = "bursty but returning to base" if any(one.word == trend.BURSTY for one in judged) else "steady"
        return text + self._pooled(courses[CLOSE_WAIT]) + (f"; too short to tell: {named}" if named else "")

    def _until(self, first: Limit) -> str:
        if len(self._each) == 1:
            return f"; at this rate the soft limit of {first.limit:,} fds is reached in {units.duration(first.seconds)}"
        return (
            f"; at this rate process {first.pid} reaches its soft limit of {first.limit:,} fds "
            f"in {units.duration(first.seconds)}"
        )

    def _pooled(self, close_wait: Course) -> str:
        """What CLOSE_WAIT sockets are whose number stays the same."""
        if close_wait.word != trend.STEADY or not close_wait.last:
            return ""
        came = self.entered[CLOSE_WAIT]
        if left := came - (close_wait.last - close_wait.first):
            return (
                f"; the {close_wait.last} in CLOSE_WAIT are not the same ones all the time: {came:,} came into it "
                f"and {left:,} left it"
            )
        return (
            f"; the {close_wait.last} in CLOSE_WAIT are idle pooled connections: the peer has closed them, "
            "and the pool drops them on its next request"
        )

    def _whereto(self, growing: Sequence[Course]) -> str:
        """The endpoint that more than half of the growth went to, if there is one."""
        grown = next((course for course in growing if course.name in (CLOSE_WAIT, FDS)), None)
        if grown is None or self.first is None or self.last is None:
            return ""
        states = (CLOSE_WAIT,) if grown.name == CLOSE_WAIT else ()
        gained = {
            name: _sockets(self.last, name, states) - _sockets(self.first, name, states) for name in self.last.remotes
        }
        best = max(gained, key=lambda name: gained[name], default="")
        risen = grown.last - grown.first
        if best and gained[best] * 2 > risen:
            return f"; most of it towards {best}"
        narrowed = self.watched.states or self.watched.remotes  # and so not all sockets were counted
        if grown.name == FDS and not narrowed and _tcp(self.last) - _tcp(self.first) < risen / 2:
            return "; most of it no TCP sockets"
        return ""


def _sockets(tick: Tick, name: str, states: Sequence[str]) -> int:
    """Sockets of an endpoint, in these states or in all; of one that was left out the most that it can have."""
    if name in tick.remotes:
        found = tick.remotes[name]
        return sum(found.values()) if not states else sum(found.get(state, 0) for state in states)
    return min([tick.elsewhere, *(max(found.values()) for found in tick.remotes.values())])


def _tcp(tick: Tick) -> int:
    return sum(tick.states.values()) + (tick.closed or 0)


def _said(held: tuple[Held, ...]) -> str:
    """What became of the conditions, "" without any: they alone decide the exit code."""
    if not held:
        return ""
    true = [one.condition for one in held if one.held]
    untold = [one.condition for one in held if one.held is None]
    if true or untold:
        return "; ".join([*(f"{one} holds" for one in true), *(f"cannot tell whether {one}" for one in untold)])
    return "no condition of --fail-on holds"


def _count(total: Counter[str], new: dict[str, int]) -> None:
    for name, count in new.items():
        total[name if name in total or len(total) < ENDPOINTS else "others"] += count


def _status(ended: Ended, courses: dict[str, Course], held: tuple[Held, ...], samples: int, fails: bool) -> Status:
    """With conditions only they count, without them growth does.

    One thread or descriptor more at the end of a watch is normal and leaves the verdict clean. Where more of them
    have come, or any CLOSE_WAIT socket, and whether they grow could not be told, the watch could not tell.
    """
    if ended.how == "lost":
        return Status.COULD_NOT_TELL
    if held:
        if any(one.held for one in held):
            return Status.FAILING
        return Status.COULD_NOT_TELL if any(one.held is None for one in held) else Status.CLEAN
    words = {courses[name].word for name in JUDGED}
    if trend.GROWING in words or fails:
        return Status.FAILING
    untold = [courses[name] for name in JUDGED if courses[name].word == trend.TOO_SHORT]
    doubtful = [one for one in untold if one.name == CLOSE_WAIT or one.last - one.first > 1]
    return Status.COULD_NOT_TELL if not samples or doubtful else Status.CLEAN
