"""The view of a watch under way: a row with a sparkline for each state, redrawn in place."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.live import Live
from rich.text import Text

from hermes_diag.core import units
from hermes_diag.core.escape import fields_of
from hermes_diag.core.sockets import CLOSE_WAIT, ESTABLISHED
from hermes_diag.reporters import sockets_text
from hermes_diag.watch.follow import FDS, THREADS
from hermes_diag.watch.records import Course, Tick
from hermes_diag.watch.timeline import JUDGED, RECENT, Timeline
from hermes_diag.watch.tracker import CLOSED, UNOWNED
from hermes_diag.watch.trend import GROWING

#: Seconds between two redraws: a person reads no faster, and drawing costs more than looking.
REDRAW = 0.5
#: Redraws between two looks at the slopes, which cost more.
JUDGE = 4
#: Columns of a sparkline where rows are wrapped.
NARROW = 10

#: Name, value (None: unknown), its last values, note.
Row = tuple[str, int | None, Sequence[int], str]


class View:
    """Shows a timeline on a terminal, on a screen of its own that a resize cannot smear. Context manager."""

    def __init__(self, timeline: Timeline, console: Console, duration: float | None = None) -> None:
        """duration: seconds that the watch will take; None: it has no end."""
        self._timeline = timeline
        self._duration = duration
        self._console = console
        self._drawn = 0.0
        self._draws = 0
        self._words: dict[str, str] = {}
        self._live = Live(console=console, auto_refresh=False, screen=True, redirect_stdout=False)

    def __enter__(self) -> View:
        self._live.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._live.stop()

    def __call__(self, tick: Tick) -> None:
        """Take notice of a sample that the timeline has."""
        now = time.monotonic()
        if now - self._drawn < REDRAW:
            return
        if self._draws % JUDGE == 0:
            self._words = {one.name: _word(one) for one in self._timeline.courses(JUDGED)}
        self._drawn = now
        self._draws += 1
        lines = draw(self._timeline, tick, self._words, self._console.width, self._console.height, self._duration)
        text = Text.from_ansi(sockets_text.painted(lines, colour=not self._console.no_color))
        self._live.update(text, refresh=True)


def draw(
    timeline: Timeline,
    tick: Tick,
    words: Mapping[str, str],
    width: int,
    height: int,
    duration: float | None = None,
) -> list[str]:
    """The view as lines. words: what each number that is judged does, by its name."""
    watched, tick = fields_of(timeline.watched), fields_of(tick)
    samples = units.count(timeline.samples, "sample")
    head = f"process {watched.pid} ({watched.name}), {samples} in {units.duration(tick.at)}"
    rows: list[Row] = [
        (
            sockets_text.marked(state),
            tick.states.get(state, 0),
            values,
            _joined(words.get(state, ""), _oldest(tick, state)),
        )
        for state, values in sorted(timeline.recent.items())
    ]
    lost = tick.unowned.get(ESTABLISHED, 0)
    rows += [(name, count, (), "") for name, count in ((UNOWNED, lost), (CLOSED, tick.closed)) if count]
    used = f"{tick.used:.0%} of {tick.limit:,}" if tick.used is not None and tick.limit is not None else ""
    rows.append((FDS, tick.fds, (), _joined(used, words.get(FDS, ""), _until_limit(timeline))))
    rows.append((THREADS, tick.threads, (), words.get(THREADS, "")))
    remotes = [
        [name, " ".join(f"{state} {count}" for state, count in states.items()), _turnover(timeline, name)]
        for name, states in tick.remotes.items()
    ]
    lines = [*sockets_text.fitted(head, width), "", *_numbers(rows, width), "", *sockets_text.table(remotes, width)]
    left = f", by itself in {units.duration(max(0.0, duration - tick.at))}" if duration is not None else ""
    return [*lines[: max(3, height - 1)], f"q or Ctrl-C: end with the summary{left}"]


def _numbers(rows: Sequence[Row], width: int) -> list[str]:
    """Name, value, sparkline and note in columns, the sparkline in what is left of the width."""
    texts = [(name, "?" if value is None else f"{value:,}", values, note) for name, value, values, note in rows]
    taken = 2 + sum(max(len(text[i]) + 2 for text in texts) for i in (0, 1, 3))
    room = min(RECENT, width - taken) if width >= sockets_text.WIDE else NARROW
    cells = [[name, value, sockets_text.sparkline(values, max(0, room)), note] for name, value, values, note in texts]
    return sockets_text.table(cells, width, right=(1,))


def _until_limit(timeline: Timeline) -> str:
    """How long until the process runs out of descriptors, if they grow."""
    first = timeline.first_to_fail()
    return f"limit in {units.duration(first.seconds)}" if first else ""


def _word(course: Course) -> str:
    if course.word != GROWING:
        return course.word
    return f"{sockets_text.RED}growing by {units.rate(course.per_hour or 0)}{sockets_text.END}"


def _oldest(tick: Tick, state: str) -> str:
    seconds = tick.oldest.get(state)
    return f"oldest {units.duration(seconds)}" if state == CLOSE_WAIT and seconds is not None else ""


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _turnover(timeline: Timeline, name: str) -> str:
    opened, gone = timeline.opened.get(name, 0), timeline.gone.get(name, 0)
    return f"+{opened} -{gone}" if opened or gone else ""
