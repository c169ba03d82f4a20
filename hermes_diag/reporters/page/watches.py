"""The page of a watch: the same pictures over hours, with the lines that opened what stayed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from hermes_diag.core import units
from hermes_diag.core.peaks import Stretch
from hermes_diag.core.status import Status
from hermes_diag.reporters.page import lives, states, strokes, timeline
from hermes_diag.reporters.page.lives import MOST
from hermes_diag.reporters.page.svg import Time, moment
from hermes_diag.reporters.page.timeline import Look, Timeline
from hermes_diag.reporters.page.view import (
    BAD,
    GOOD,
    PLAIN,
    STATUS,
    UNSURE,
    Chart,
    Entry,
    Folded,
    Judged,
    Line,
    Page,
    Section,
    Step,
    Table,
    badge,
    entries,
)
from hermes_diag.watch import picture as pictures
from hermes_diag.watch.picture import Life, Picture
from hermes_diag.watch.records import Course, Place, Summary
from hermes_diag.watch.trend import GROWING

#: Rows of a table, lines of code that are named.
ROWS, PLACES = 60, 10
_EMPTY = "There is nothing to draw: the process had no TCP socket, or only sockets that listen."
_WORDS = {GROWING: BAD, "too short": UNSURE, "unknown": UNSURE, "bursty": GOOD, "steady": GOOD}


def page(summary: Summary, picture: Picture | None) -> Page:
    """Everything that the page of a watch says. picture: None where none was made."""
    watched = summary.watched
    subject = f"process {watched.pid} ({watched.name})"
    return Page(
        title=f"hermes-diag sockets: {summary.status}",
        command="sockets --watch",
        subject=subject,
        badge=badge(summary.status, STATUS[summary.status]),
        headline=_headline(summary),
        verdict=summary.verdict,
        steps=_steps(summary),
        rows=[*map(_number, _told(summary.courses)), *_conditions(summary)],
        sections=[_section(summary, picture, subject)] if picture and picture.states else (),
        unpictured="" if picture is None or picture.states else _EMPTY,
        pictures="The watch in pictures",
        folded=tuple(_folded(summary)),
        notes=[f"Not seen: {one.what}. Why: {one.why}. Cure: {one.cure}." for one in watched.missing],
    )


def _headline(summary: Summary) -> str:
    growing = [course.name for course in summary.courses if course.word == GROWING]
    if summary.status == Status.COULD_NOT_TELL:
        return "It cannot be told yet whether something leaks."
    if summary.status == Status.CLEAN:
        if not summary.conditions:
            return "Nothing was seen to leak."
        held = "No condition that was set for this program holds"
        return (
            f"{held}, but {' and '.join(growing[:2])} grow{'s' if len(growing) == 1 else ''}."
            if growing
            else f"{held}."
        )
    if not growing:
        return "A condition that was set for this program holds."
    if summary.until_limit is not None:
        left = units.duration(summary.until_limit).replace(" ", "\N{NO-BREAK SPACE}")
        return f"The program leaks: in about {left} it can open nothing more."
    return "The program leaks: what it opens and never closes grows."


def _steps(summary: Summary) -> list[Step]:
    growing = any(course.word == GROWING for course in summary.courses)
    if summary.status == Status.CLEAN and not growing:
        return [Step("Nothing has to be put right.")]
    if summary.status == Status.COULD_NOT_TELL:
        tells = [course.tells for course in summary.courses if course.tells]
        pid = summary.watched.pid
        longer = f", for {units.at_least(max(tells))} at least" if tells else ""
        return [Step(f"Watch again{longer}: hermes-diag sockets {pid} --watch --duration TIME", summary.verdict)]
    if known := [one for one in summary.places if one.place]:
        return [
            Step(
                f"Close what is opened at {one.place}.", f"{one.count:,} of {one.of:,} {one.what} that came and stayed"
            )
            for one in known[:3]
        ]
    return [
        Step(
            "Find the line that opens them: start the program with hermes-diag trace -- COMMAND, and watch again.",
            "No recorder told who opened what stayed.",
        )
    ]


def _told(courses: Sequence[Course]) -> list[Course]:
    """What grows first."""
    return sorted(courses, key=lambda course: list(_WORDS).index(course.word) if course.word in _WORDS else len(_WORDS))


def _number(course: Course) -> Judged:
    kind = _WORDS.get(course.word, PLAIN)
    return Judged(badge(course.word, kind), course.name, course.text, ())


def _conditions(summary: Summary) -> Iterator[Judged]:
    kinds = {True: ("holds", BAD), False: ("does not hold", GOOD), None: ("could not tell", UNSURE)}
    for one in summary.conditions:
        word, kind = kinds[one.held]
        yield Judged(badge(word, kind), one.condition, one.found, ())


def _section(summary: Summary, picture: Picture, title: str) -> Section:
    time = Time(0.0, max(picture.seconds, summary.watched.interval) * 1.01)
    charts = [_timeline(picture, time)]
    if picture.lives:
        charts.append(_lifelines(summary, picture, time))
    facts = (units.count(summary.samples, "sample"), units.duration(summary.seconds))
    return Section("watch", title, badge(summary.status, STATUS[summary.status]), facts, charts, unfolded=True)


def _timeline(picture: Picture, time: Time) -> Chart:
    looks = list(_looks(picture.states))
    line = Timeline(time, looks, together=picture.together)
    peaks = {state: max(one.high for one in stretches) for state, stretches in picture.states.items()}
    most = ", ".join(f"{count:,} {state}" for state, count in sorted(peaks.items()) if count) or "none"
    said = f"Sockets of the process over {units.duration(picture.seconds)}: at most {most}."
    notes = []
    if picture.together > 1:
        many = f"Each step stands for {picture.together:,} samples"
        notes.append(f"{many} and shows the highest count of each state among them.")
    return Chart(
        "watch-timeline",
        "Timeline",
        said,
        [shown for shown in states.ALL if any(look.counts.get(shown[0]) for look in looks)],
        _table(picture),
        timeline.chart(line, said),
        points="\n".join(timeline.points(line)),
        notes=notes,
    )


def _looks(series: dict[str, tuple[Stretch, ...]]) -> Iterator[Look]:
    """The highest count of each class of states in each stretch of time."""
    for together in zip(*series.values(), strict=True):
        counts: dict[str, int] = {}
        for state, one in zip(series, together, strict=True):
            name = states.of(state)[0]
            counts[name] = counts.get(name, 0) + one.high
        yield Look(together[0].begin, counts)


def _table(picture: Picture) -> Table:
    names = list(picture.states)
    steps = list(zip(*picture.states.values(), strict=True))
    every = len(steps) // ROWS + 1
    rows = [
        entries(
            moment(step[0].begin),
            *(f"{one.low:,} to {one.high:,}" if one.low < one.high else f"{one.high:,}" for one in step),
        )
        for step in steps[::every]
    ]
    return Table(("from", *names), rows, f"Each {every}th step." if every > 1 else "")


# --- lifelines ---------------------------------------------------------------------------------------


def _lifelines(summary: Summary, picture: Picture, time: Time) -> Chart:
    drawn = pictures.chosen(picture.lives, picture.seconds, MOST)
    ends = {one.endpoint for one in drawn}
    lines = [_line(number, one, summary, len(ends) == 1, time) for number, one in enumerate(drawn, start=1)]
    left = len(picture.lives) - len(drawn) + picture.left_out
    open_ = sum(one.end is None for one in picture.lives)
    count = units.count(len(picture.lives) + picture.left_out, "socket")
    if len(ends) == 1:
        count += f" of {ends.pop()}"
    used = {state for one in drawn for _, state in one.changes}
    legend = [shown for shown in states.ALL if shown in map(states.of, used)]
    notes = [f"{left:,} more are not drawn: those that stay in CLOSE_WAIT and the longest come first."] if left else []
    notes += [
        f"{one.count:,} of {one.of:,} {one.what} that came and stayed were opened at {one.place}."
        for one in [place for place in summary.places if place.place][:PLACES]
    ]
    return Chart(
        "watch-lifelines",
        "Lifelines",
        f"{count} were seen; of those that were followed, {open_:,} were still there at the end.",
        [*legend, *_marks(drawn, lines)],
        _life_table(drawn, picture.seconds),
        strokes.scale(time),
        lines=lines,
        notes=notes,
    )


def _marks(drawn: Sequence[Life], lines: Sequence[Line]) -> Iterator[tuple[str, str, str]]:
    """How lines end, as far as there are such."""
    if any(one.end is not None for one in drawn):
        yield "ended", "gone", "a line that ends"
    if any(one.end is None and not line.accused for one, line in zip(drawn, lines, strict=True)):
        yield "endless", "still there", "an arrow: at the end of the watch"
    if any(line.accused for line in lines):
        yield "endless accused", "still there", "a red arrow: in a state of which the number grows"


def _line(number: int, one: Life, summary: Summary, alone: bool, time: Time) -> Line:
    """alone: there is but one endpoint, which need not be said."""
    end = summary.seconds if one.end is None else one.end
    stretches = tuple(
        lives.Stretch(begin, until, state)
        for (begin, state), (until, _) in itertools.pairwise([*one.changes, (end, "")])
    )
    drawn = lives.Life(one.port, number, stretches, one.end is not None, (), "", "", "")
    accused = one.end is None and one.state in {course.name for course in summary.courses if course.word == GROWING}
    place = _place(one, summary.places)
    said = units.duration(end - one.begin) + ("" if one.end is not None else ", still there")
    who = f"port {one.port}" if alone else f"{one.endpoint}, port {one.port}"
    svg = strokes.lifeline(drawn, time, accused)
    return Line(f"life-{number}", who, place.rpartition("/")[2], place, said, accused, svg)


def _place(one: Life, places: Sequence[Place]) -> str:
    """The line that opened it, where that is the only one that can have."""
    for place in places:
        if one.born and one.end is None and place.what == one.state and place.count == place.of:
            return place.place
    return ""


def _life_table(drawn: Sequence[Life], seconds: float) -> Table:
    rows = [
        [
            Entry(one.endpoint),
            Entry(str(one.port)),
            Entry(moment(one.begin) if one.born else "before the watch"),
            Entry("still there" if one.end is None else moment(one.end)),
            Entry(", ".join(f"{state} from {moment(at)}" for at, state in one.changes)),
        ]
        for one in drawn
    ]
    return Table(("endpoint", "port", "seen first", "gone", "states"), rows)


def _folded(summary: Summary) -> Iterator[Folded]:
    watched = summary.watched
    said = [
        f"{units.count(summary.samples, 'sample')}, one each {watched.interval:g} s",
        f"seen by {watched.backend} ({watched.why})",
        f"the latest sample was {units.duration(summary.worst_late)} late; {summary.missed:,} were missed",
    ]
    yield Folded("How it was watched", [*said, *filter(None, (summary.ended.detail,))])
    if summary.opened or summary.gone:
        names = sorted({*summary.opened, *summary.gone}, key=lambda name: -summary.opened.get(name, 0))[:ROWS]
        rows = [entries(name, f"{summary.opened.get(name, 0):,}", f"{summary.gone.get(name, 0):,}") for name in names]
        yield Folded("Opened and gone", table=Table(("endpoint", "opened", "gone"), rows))
