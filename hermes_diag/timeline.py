"""The samples of a watch, gathered in bounded memory and judged at its end. Pure.

The same code judges a watch that has just ended and one that is read from a capture.
"""

from __future__ import annotations

import copy
from collections import Counter, deque
from collections.abc import Sequence

from hermes_diag import conditions, slope, units
from hermes_diag.conditions import Condition
from hermes_diag.errors import COULD_NOT_MEASURE, INTERRUPTED, OK, PROBLEM
from hermes_diag.looks import Course, Ended, Held, Summary, Tick, Watched
from hermes_diag.tcp import CLOSE_WAIT, ESTABLISHED

FDS, THREADS, UNOWNED, CLOSED = "fds", "threads", "ESTABLISHED without owner", "CLOSE (fd only)"

#: What is judged: growth of any of these is a problem. Other states come and go by themselves.
JUDGED = (CLOSE_WAIT, FDS, THREADS)

#: Endpoints of which births and deaths are told one by one; a process that talks to more has "others".
ENDPOINTS = 500
#: Samples that a sparkline can show.
RECENT = 60


class Timeline:
    """Takes samples as they come."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.series: dict[str, slope.Series] = {name: slope.Series() for name in JUDGED}
        self._times = slope.Series()  # all 0: what a state that was not seen yet has been
        self.recent: dict[str, deque[int]] = {}
        self.born: Counter[str] = Counter()
        self.died: Counter[str] = Counter()
        self.oldest: dict[str, float] = {}
        self.first: Tick | None = None
        self.last: Tick | None = None
        self.samples = 0
        self.worst_late = 0.0
        self.held: dict[str, Held] = {}  # levels and ages that held once

    def add(self, tick: Tick, wanted: Sequence[Condition] = ()) -> None:
        """Take one sample, and see which of the conditions on levels and ages hold."""
        self.samples += 1
        self.first, self.last = self.first or tick, tick
        self.worst_late = max(self.worst_late, tick.late)
        for name, value in self._numbers(tick).items():
            if name not in self.series:  # a state that is new: it was 0 until now
                self.series[name] = self._zeros()
            self.series[name].add(tick.at, value)
        self._times.add(tick.at, 0)
        for name in (*tick.states, *self.recent):
            self.recent.setdefault(name, deque([0] * min(self.samples - 1, RECENT), RECENT))
        for name, values in self.recent.items():
            values.append(tick.states.get(name, 0))
        _count(self.born, tick.born)
        _count(self.died, tick.died)
        for state, seconds in tick.oldest.items():
            self.oldest[state] = max(seconds, self.oldest.get(state, 0.0))
        for condition in wanted:
            if condition.kind != conditions.GROWTH:
                found = conditions.at_tick(condition, tick)
                if found.held or not (old := self.held.get(condition.text)) or not old.held:
                    self.held[condition.text] = found

    def _zeros(self) -> slope.Series:
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

    def courses(self) -> tuple[Course, ...]:
        """Every number with its word; those that are judged come first."""
        return tuple(slope.judge(name, series) for name, series in self.series.items())

    def summary(self, ended: Ended, wanted: Sequence[Condition] = ()) -> Summary:
        """Judge what there is."""
        courses = self.courses()
        by_name = {course.name: course for course in courses}
        held = tuple(
            conditions.at_end(condition, by_name)
            if condition.kind == conditions.GROWTH
            else self.held.get(condition.text, Held(condition.text, None, "not one sample was taken"))
            for condition in wanted
        )
        return Summary(
            watched=self.watched,
            samples=self.samples,
            seconds=self.last.at if self.last else 0.0,
            worst_late=self.worst_late,
            ended=ended,
            courses=courses,
            until_limit=self._until_limit(by_name[FDS]),
            limit=self.last.limit if self.last else None,
            born=dict(self.born.most_common()),
            died=dict(self.died.most_common()),
            oldest=self.oldest,
            last=self.last,
            verdict=self._verdict(by_name),
            conditions=held,
            exit_code=_exit_code(ended, by_name, held, self.samples),
        )

    def _until_limit(self, fds: Course) -> float | None:
        """Seconds until the fds reach the soft limit, if they are growing and there is one."""
        last = self.last
        if fds.word != slope.GROWING or not fds.per_hour or last is None or last.limit is None or last.used is None:
            return None
        return max(0.0, last.limit * (1 - last.used)) / fds.per_hour * 3600

    def _verdict(self, courses: dict[str, Course]) -> str:
        if not self.samples:
            return "no sample was taken: nothing can be said"
        judged = [courses[name] for name in JUDGED]
        growing = [course for course in judged if course.word == slope.GROWING]
        if growing:
            parts = [f"{course.name} by {units.rate(course.per_hour or 0)}" for course in growing]
            text = "growing: " + ", ".join(parts)
            if toward := self._toward():
                text += f"; most of it towards {toward}"
            if (left := self._until_limit(courses[FDS])) is not None and self.last is not None:
                text += f"; at this rate the soft limit of {self.last.limit:,} fds is reached in {units.duration(left)}"
            return text
        if any(course.word == slope.TOO_SHORT for course in judged):
            named = ", ".join(course.name for course in judged if course.word == slope.TOO_SHORT)
            return f"too short to tell: {named}"
        close_wait = courses[CLOSE_WAIT]
        text = "bursty but returning to base" if any(one.word == slope.BURSTY for one in judged) else "steady"
        if close_wait.word == slope.STEADY and close_wait.last:
            text += (
                f"; the {close_wait.last} in CLOSE_WAIT are idle pooled connections: the peer has closed them, "
                "and the pool drops them on its next request"
            )
        return text

    def _toward(self) -> str:
        """The endpoint that has gained the most sockets since the first sample."""
        if self.first is None or self.last is None:
            return ""
        gained = {
            name: sum(states.values()) - sum(self.first.remotes.get(name, {}).values())
            for name, states in self.last.remotes.items()
        }
        best = max(gained, key=lambda name: gained[name], default="")
        return best if best and gained[best] > 0 else ""


def _count(total: Counter[str], new: dict[str, int]) -> None:
    for name, count in new.items():
        total[name if name in total or len(total) < ENDPOINTS else "others"] += count


def _exit_code(ended: Ended, courses: dict[str, Course], held: tuple[Held, ...], samples: int) -> int:
    """130 for Ctrl-C; with conditions only they count, without them growth does."""
    if ended.how == "interrupted":
        return INTERRUPTED
    if held:
        if any(one.held for one in held):
            return PROBLEM
        return COULD_NOT_MEASURE if any(one.held is None for one in held) else OK
    words = {courses[name].word for name in JUDGED}
    if slope.GROWING in words:
        return PROBLEM
    return COULD_NOT_MEASURE if not samples or slope.TOO_SHORT in words else OK
