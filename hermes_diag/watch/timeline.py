"""The samples of a watch, gathered in bounded memory and judged at its end. Pure.

The same code judges a watch that has just ended and one that is read from a capture.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from hermes_diag.core.peaks import Peaks
from hermes_diag.core.sockets import CLOSE_WAIT, ESTABLISHED
from hermes_diag.watch import courses, fail_on, lives, trend, verdict
from hermes_diag.watch.follow import FDS, NAMES, THREADS
from hermes_diag.watch.picture import Drawing, Picture
from hermes_diag.watch.records import Course, Ended, Held, Place, Summary, Tick, Watched
from hermes_diag.watch.tracker import CLOSED, SOCKETS, UNOWNED
from hermes_diag.watch.verdict import Limit

#: What is judged always: growth of any of these is a problem.
JUDGED = (CLOSE_WAIT, FDS, THREADS)
#: What is kept over the whole watch, for pictures.
PICTURED = (CLOSE_WAIT, FDS)
#: What is judged besides where it is known one by one. Other states come and go by themselves.
ALSO = (ESTABLISHED, SOCKETS, CLOSED, UNOWNED)

#: Endpoints whose opened and gone sockets are told one by one; the others are told together, as "others".
ENDPOINTS = 500
#: Samples that a sparkline can show.
RECENT = 60


class Timeline:
    """Takes samples as they come. drawn: also for a picture. Raises UsageError for a condition that is none."""

    def __init__(self, watched: Watched, drawn: bool = False) -> None:
        self.watched = watched
        self._drawing = Drawing() if drawn else None
        self._wanted = [fail_on.parse(text) for text in watched.conditions]
        self.series: dict[str, trend.Series] = {name: trend.Series() for name in JUDGED}
        self.lives: dict[str, lives.Lives] = {}  # by group, as a sample names them
        self._times = trend.Series()  # all 0: the history of a state that was not seen before
        self._rss = trend.Series()
        self._full: tuple[int, int, int] | None = None  # the process that was at its limit last: PID, fds, limit
        self._full_samples = 0
        self._each: dict[int, trend.Series] = {}  # fds by process, of those that are alive
        self.recent: dict[str, deque[int]] = {}
        self.peaks = {name: Peaks() for name in PICTURED}
        self.opened: Counter[str] = Counter()
        self.gone: Counter[str] = Counter()
        self.entered: Counter[str] = Counter()
        self.oldest: dict[str, float] = {}
        self.same_since = 0.0  # when the last socket came into CLOSE_WAIT, and what was opened since then
        self.opened_since: Counter[str] = Counter()
        self.first: Tick | None = None
        self.last: Tick | None = None
        self.samples = 0
        self.worst_late = 0.0
        self.still = 0.0  # seconds in all in which nothing could happen
        self.places: list[Place] = []  # who opened what came and stayed, where a recorder tells it
        self.held: dict[str, Held] = {}  # what was found of conditions: of levels and ages, or as a capture says it

    def add(self, tick: Tick) -> None:
        """Take one sample, and see which of the conditions on levels and ages hold."""
        self.samples += 1
        self.first, self.last = self.first or tick, tick
        self.worst_late = max(self.worst_late, tick.late)
        self.still += tick.still
        self._follow(tick)
        if self._drawing:
            self._drawing.add(tick)
        for name, value in self._numbers(tick).items():
            if name not in self.series:  # a state that is new: it was 0 until now
                self.series[name] = self._zeros()
            self.series[name].add(tick.at, value)
            if name in self.peaks:
                self.peaks[name].add(tick.at, value)
        self._times.add(tick.at, 0)
        if full := [(pid, fds, limit) for pid, (fds, limit) in tick.each.items() if limit and fds >= limit]:
            self._full, self._full_samples = full[0], self._full_samples + 1
        if tick.rss is not None:
            self._rss.add(tick.at, tick.rss)
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

    def _follow(self, tick: Tick) -> None:
        """Who came and who went."""
        for name, seen in tick.lives.items():
            if name not in self.lives:
                self.lives[name] = lives.Lives(self.watched.interval)
            self.lives[name].add(tick.at, seen)
        if tick.entered.get(CLOSE_WAIT) or self.samples == 1:
            self.same_since, self.opened_since = tick.at, Counter()
        else:
            self.opened_since.update(tick.opened)
        if len(self.lives) > 3 * NAMES:
            self.lives = {name: one for name, one in self.lives.items() if one.count or " " not in name}

    def _zeros(self) -> trend.Series:
        """As many samples as there were, all 0."""
        return self._times.copy()

    def _numbers(self, tick: Tick) -> dict[str, int]:
        numbers: dict[str, int | None] = {
            **{name: tick.states.get(name, 0) for name in (*self.series, *tick.states) if name.isupper()},
            FDS: tick.fds,
            THREADS: tick.threads,
            CLOSED: tick.closed if tick.closed or CLOSED in self.series else None,
        }
        numbers |= {name: one.count for name, one in self.lives.items() if name == SOCKETS or name.startswith("fds ")}
        lost = tick.unowned.get(ESTABLISHED, 0)
        if lost or UNOWNED in self.series:
            numbers[UNOWNED] = lost
        return {name: value for name, value in numbers.items() if value is not None}

    def courses(self, names: Iterable[str] | None = None) -> tuple[Course, ...]:
        """Every number with its word, or those of that names; those that are judged come first."""
        for one in self.lives.values():
            one.advance(self.last.at if self.last else 0.0)
        wholes = {name: lives.judge(self.lives[name]) for name in (SOCKETS, FDS) if name in self.lives}
        if SOCKETS in wholes:
            ends = (one for name, one in self.lives.items() if name.startswith("to "))
            wholes[SOCKETS] = lives.of_parts(wholes[SOCKETS], ends)
        found = []
        for name in names or self.series:
            known, whole = self._known(name), wholes.get(_whole_of(name))
            judged = wholes.get(name) or (lives.judge(known, whole) if known and whole else None)
            found.append(courses.judge(name, self.series[name], known, judged))
        return tuple(found)

    def _known(self, name: str) -> lives.Lives | None:
        """Who came and went of a number, where that is known; of a state that never was nobody did."""
        if name.isupper() and self.lives and name not in self.lives:
            return self._nobody()
        return self.lives.get(name)

    def _nobody(self) -> lives.Lives:
        found = lives.Lives(self.watched.interval)
        found.advance(self.last.at if self.last else 0.0)
        return found

    def summary(self, ended: Ended) -> Summary:
        """Judge what there is."""
        found = self.courses()
        by_name = {course.name: course for course in found}
        held = tuple(self.held.get(one.text) or self._at_end(one, by_name) for one in self._wanted)
        alive = ended.how not in ("exited", "replaced")
        first_to_fail = self.first_to_fail() if alive else None
        limit = first_to_fail.limit if first_to_fail else self.last.limit if self.last else None
        judged = tuple(course for course in found if self.is_judged(course.name))
        seen = verdict.Seen(
            self.watched, self.last, judged, self.lives, held, ended, first_to_fail, len(self._each), self.opened_since,
            self.same_since, self.entered[CLOSE_WAIT], self.samples, self._full, self._full_samples, self.still,
        )  # fmt: skip
        return Summary(
            watched=self.watched,
            samples=self.samples,
            seconds=self.last.at if self.last else 0.0,
            worst_late=self.worst_late,
            missed=self._missed(),
            ended=ended,
            courses=found,
            until_limit=first_to_fail.seconds if first_to_fail else None,
            limit=limit,
            opened=dict(self.opened.most_common()),
            gone=dict(self.gone.most_common()),
            oldest=self.oldest,
            last=self.last,
            verdict=verdict.text(seen) + self._opened_at(judged),
            places=tuple(self.places),
            conditions=held,
            status=verdict.status(seen),
            interrupted=ended.how == "interrupted",
        )

    def picture(self) -> Picture | None:
        """What can be drawn of the samples; None where it was not asked for."""
        return self._drawing.picture() if self._drawing else None

    def _opened_at(self, judged: tuple[Course, ...]) -> str:
        """The line that opened most of what grows."""
        growing = {course.name for course in judged if course.word == trend.GROWING}
        for one in self.places:
            if one.place and (one.what in growing or FDS in growing):
                return f"; {one.count:,} of {one.of:,} {one.what} that came and stayed were opened at {one.place}"
        return ""

    def is_judged(self, name: str) -> bool:
        return name in JUDGED or (name in self.lives and (name in ALSO or name.startswith("fds ")))

    def _missed(self) -> int:
        """How many samples could not be taken when they were due."""
        due = round((self.last.at if self.last else 0.0) / self.watched.interval) + 1 if self.watched.interval else 0
        return max(0, due - self.samples)

    def _at_end(self, condition: fail_on.Condition, found: dict[str, Course]) -> Held:
        """A condition that no sample could decide."""
        if condition.kind != fail_on.GROWTH:
            return Held(condition.text, None, "not one sample was taken")
        return fail_on.at_end(condition, self._course(condition.metric, found))

    def _course(self, metric: str, found: dict[str, Course]) -> Course:
        """The course of a metric; a state that never was seen has been 0 all the time."""
        if metric == fail_on.RSS:
            return trend.judge(metric, self._rss)
        name = CLOSED if metric == "CLOSE" else metric
        if name == CLOSED and self.last is not None and self.last.closed is None:
            return Course(name, trend.UNKNOWN, "cannot be seen")
        return found.get(name) or courses.judge(name, self._times, self._known(name))

    def first_to_fail(self) -> Limit | None:
        """The process that is the first to reach its limit if each goes on as it does, if one does."""
        found = []
        for pid, series in self._each.items():
            fds, limit = self.last.each[pid] if self.last else (0, None)
            if limit is None:
                continue
            alone = FDS if len(self._each) == 1 else ""
            course = courses.judge(FDS, series, self.lives.get(f"fds of {pid}", self.lives.get(alone)))
            if course.word == trend.GROWING and course.per_hour:
                found.append(Limit(max(0, limit - fds) / course.per_hour * 3600, pid, limit))
        return min(found, default=None)


def _whole_of(name: str) -> str:
    """What a number is a part of."""
    return SOCKETS if name.isupper() else FDS if name.startswith("fds ") else ""


def _count(total: Counter[str], new: dict[str, int]) -> None:
    for name, count in new.items():
        total[name if name in total or len(total) < ENDPOINTS else "others"] += count
