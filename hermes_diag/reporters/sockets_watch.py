"""The samples and the summary of a watch for people, as lines of text that fit so many columns."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from hermes_diag.core import units
from hermes_diag.core.escape import fields_of
from hermes_diag.core.peaks import Peaks
from hermes_diag.core.sockets import CLOSE_WAIT, ESTABLISHED
from hermes_diag.core.status import Status
from hermes_diag.reporters import picture
from hermes_diag.reporters.picture import Curve
from hermes_diag.reporters.sockets_text import (
    BOLD,
    END,
    FEW,
    GREEN,
    MAGENTA,
    RED,
    ROWS,
    conditions,
    fitted,
    heading,
    table,
)
from hermes_diag.watch.records import Course, Summary, Tick

#: Words that are told of a part, too.
_TOLD = ("growing", "too short")
_WORD_MARKS = {"growing": RED, "steady": GREEN, "bursty": GREEN}


def sample(tick: Tick, begun: float) -> str:
    """One sample of a watch as one line, for pipes and logs."""
    tick = fields_of(tick)
    parts = [time.strftime("%H:%M:%S", time.localtime(begun + tick.at))]
    parts += [f"{state} {count}" for state, count in sorted(tick.states.items())] or ["no sockets"]
    parts += [f"{state} {count} without owner" for state, count in tick.unowned.items() if state == ESTABLISHED]
    if tick.closed:
        parts.append(f"CLOSE {tick.closed}")
    if tick.fds is not None:
        parts.append(f"fds {tick.fds}" + (f" ({tick.used:.0%})" if tick.used is not None else ""))
    if tick.threads is not None:
        parts.append(f"threads {tick.threads}")
    opened, gone = sum(tick.opened.values()), sum(tick.gone.values())
    if opened or gone:
        parts.append(f"+{opened} -{gone}")
    if seconds := tick.oldest.get(CLOSE_WAIT):
        parts.append(f"oldest CLOSE_WAIT {units.duration(seconds)}")
    if tick.late > 0.1:
        parts.append(f"late by {units.duration(tick.late)}")
    return "  ".join(parts)


def summary(found: Summary, width: int, verbose: bool = False, pictures: list[str] | None = None) -> list[str]:
    """A whole watch, judged. pictures: lines to stand above the verdict."""
    watched = found.watched
    lines = fitted(
        f"{BOLD}process {watched.pid}{END} ({watched.name}), {units.count(found.samples, 'sample')} in "
        f"{units.duration(found.seconds)}, seen by {watched.backend} ({watched.why})",
        width,
    )
    if found.missed * 20 > found.samples:
        due = found.samples + found.missed
        lines += fitted(
            f"{MAGENTA}{found.missed:,} of {due:,} samples were missed{END}: what came and went meanwhile was not seen",
            width,
        )
    if found.worst_late > watched.interval / 2:
        lines += fitted(f"the latest sample was {units.duration(found.worst_late)} late", width)
    if found.ended.detail:
        lines += fitted(f"{BOLD}ended:{END} {found.ended.detail}", width)
    lines += ["", heading("How the numbers went")]
    words = {course.name: course.word for course in found.courses}
    for course in found.courses:
        if _is_told(course, words) and not verbose:
            continue
        mark = _WORD_MARKS.get(course.word, MAGENTA)
        lines += fitted(f"{course.name} {mark}{course.word}{END} {course.text}", width, 2)
    if seconds := found.oldest.get(CLOSE_WAIT):
        lines += fitted(f"the oldest CLOSE_WAIT socket was in it for at least {units.duration(seconds)}", width, 2)
    if found.opened or found.gone:
        lines += ["", heading("Opened and closed"), *_turnover(found, width, verbose)]
    if found.places:
        lines += ["", heading("Opened since the watch began, and still there")]
        for place in found.places if verbose else found.places[:FEW]:
            lines += fitted(f"{place.count:,} of {place.of:,} {place.what}: {place.place}", width, 2)
    for one in watched.missing:
        lines += fitted(f"Not seen: {one.what}. Why: {one.why}. Cure: {one.cure}.", width)
    mark = {Status.CLEAN: GREEN, Status.FAILING: RED}.get(found.status, MAGENTA)
    lines += [*(pictures or ()), "", heading("Verdict"), *fitted(f"{mark}{found.verdict}{END}", width)]
    return lines + conditions(found.conditions, width)


def pictures(found: Summary, peaks: Mapping[str, Peaks], width: int, blocks: bool) -> list[str]:
    """The numbers of a watch over time, a line each. blocks: the terminal can show block characters."""
    curves = list(_curves(found, peaks))
    if not curves:
        return []
    marks = {one.name: _WORD_MARKS.get(one.word, "") for one in found.courses}
    lines = ["", heading(f"Over {units.duration(found.seconds)}: first, course, last")]
    for one in picture.draw(curves, width, blocks):
        mark = marks[one.curve.name.partition(",")[0]]
        numbers = f"{one.before} {mark}{one.bars}{END if mark else ''} {one.after}"
        stacked = picture.is_stacked(width, one)
        lines += [f"  {one.name}", f"  {numbers}"] if stacked else [f"  {one.name}  {numbers}"]
    return lines


def _curves(found: Summary, peaks: Mapping[str, Peaks]) -> Iterator[Curve]:
    """Those of which two samples are known, and that were not 0 all the time. Bars of a number that is large and hardly
    moves begin below it."""
    for course in found.courses:
        kept = list(peaks.get(course.name, ()))
        if course.high and kept and kept[-1].end > kept[0].begin:
            points = [
                (kept[0].begin, course.first),
                *((one.begin, one.high) for one in kept),
                (kept[-1].end, course.last),
            ]
            floor = max(0, course.low - max(picture.SMALL, course.high - course.low))
            yield Curve(f"{course.name}, from {floor:,}" if floor else course.name, points, floor)


def _is_told(course: Course, words: dict[str, str]) -> bool:
    """Whether the rows of others tell it already, or it has nothing to tell."""
    if course.name == "sockets":
        return course.word not in _TOLD or course.word in (words.get(CLOSE_WAIT), words.get(ESTABLISHED))
    return course.name.startswith("fds ") and (course.word not in _TOLD or course.word == words.get("fds"))


def _turnover(found: Summary, width: int, verbose: bool) -> list[str]:
    names = sorted({*found.opened, *found.gone}, key=lambda name: -found.opened.get(name, 0) - found.gone.get(name, 0))
    shown = names if verbose else names[:ROWS]
    rows = [[name, f"+{found.opened.get(name, 0):,}", f"-{found.gone.get(name, 0):,}"] for name in shown]
    hidden = len(names) - len(shown)
    more = fitted(f"and {hidden:,} more endpoints (-v)", width, 2) if hidden else []
    return table(rows, width, right=(1, 2)) + more
