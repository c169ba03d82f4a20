"""The view of a watch under way: a row with a sparkline for each state, redrawn in place."""

from __future__ import annotations

import time

from rich.console import Console
from rich.live import Live
from rich.text import Text

from hermes_diag import units
from hermes_diag.looks import Tick
from hermes_diag.reporters import sockets_text
from hermes_diag.tcp import CLOSE_WAIT
from hermes_diag.timeline import FDS, JUDGED, Timeline

#: Seconds between two redraws: a person reads no faster, and drawing costs more than looking.
REDRAW = 0.5
#: Redraws between two looks at the slopes, which cost more.
JUDGE = 4


class View:
    """Shows a timeline on a terminal. Context manager."""

    def __init__(self, timeline: Timeline, console: Console) -> None:
        self._timeline = timeline
        self._console = console
        self._drawn = 0.0
        self._draws = 0
        self._words: list[str] = []
        self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False)

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
            self._words = [f"{one.name} {one.word} {one.text}" for one in self._timeline.courses(JUDGED)]
        self._drawn = now
        self._draws += 1
        lines = draw(self._timeline, tick, self._words, self._console.width, self._console.height - 2)
        text = Text.from_ansi(sockets_text.painted(lines, colour=not self._console.no_color))
        self._live.update(text, refresh=True)


def draw(timeline: Timeline, tick: Tick, words: list[str], width: int, height: int) -> list[str]:
    """The view as lines."""
    watched = timeline.watched
    head = f"process {watched.pid} ({watched.name}), {timeline.samples:,} samples in {units.duration(tick.at)}"
    room = max(8, min(60, width - 30))
    rows = []
    for state, values in sorted(timeline.recent.items()):
        age = tick.oldest.get(state)
        note = f"oldest {units.duration(age)}" if state == CLOSE_WAIT and age is not None else ""
        rows.append([state, f"{tick.states.get(state, 0):,}", sockets_text.sparkline(values, room - len(note)), note])
    if tick.closed:
        rows.append(["CLOSE (fd only)", f"{tick.closed:,}", "", ""])
    fds = f"{tick.used:.0%} of {tick.limit:,}" if tick.used is not None and tick.limit is not None else ""
    rows.append([FDS, "?" if tick.fds is None else f"{tick.fds:,}", fds, ""])
    rows.append(["threads", "?" if tick.threads is None else f"{tick.threads:,}", "", ""])
    lines = [head, "", *sockets_text.table(rows, width, right=(1,)), ""]
    remotes = [
        [name, " ".join(f"{state} {count}" for state, count in states.items()), _turnover(timeline, name)]
        for name, states in list(tick.remotes.items())[:6]
    ]
    lines += [*sockets_text.table(remotes, width), "", *(line[: width - 1] for line in words), "Ctrl-C: summary"]
    return lines[: max(5, height)]


def _turnover(timeline: Timeline, name: str) -> str:
    born, died = timeline.born.get(name, 0), timeline.died.get(name, 0)
    return f"+{born} -{died}" if born or died else ""
