"""A watch of a live process: what `hermes-diag sockets --watch` does once its options are checked."""

from __future__ import annotations

import gc
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hermes_diag.cli.keyboard import Quit, Sleep
from hermes_diag.cli.terminal import emit, is_live
from hermes_diag.watch.records import Ended

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hermes_diag.cli.options.output import Output
    from hermes_diag.watch.fail_on import Condition
    from hermes_diag.watch.observer import Observer
    from hermes_diag.watch.records import Place, Tick
    from hermes_diag.watch.timeline import Timeline
    from hermes_diag.watch.watch import Watch


@dataclass(frozen=True)
class Asked:
    """What the command line asks for, checked. Times in seconds; None: no end."""

    states: tuple[str, ...]
    remotes: tuple[str, ...]
    conditions: Sequence[Condition]
    resolve: bool
    group_by: str
    interval: float
    duration: float | None
    count: int | None
    output: Output
    attach: bool = False
    arm: bool = False


def watch(eye: Observer, asked: Asked) -> int:
    """Look until an end, then print the summary; the exit code."""
    # At the end there may be no descriptor left to load anything with.
    from hermes_diag.cli import telling
    from hermes_diag.core.new_file import NewFile
    from hermes_diag.reporters import formats, sockets_json, sockets_watch  # noqa: F401
    from hermes_diag.watch import reports
    from hermes_diag.watch.capture import WatchCapture
    from hermes_diag.watch.timeline import Timeline
    from hermes_diag.watch.watch import Watch

    output = asked.output
    files = telling.report_files(output)
    formats.load(output.format)
    live = output.format == "terminal" and is_live()
    sleep = Sleep(keys=live)
    under_way = Watch(eye, asked.interval, asked.duration, asked.count, sleep)
    watched = under_way.watched(asked.states, asked.remotes, tuple(one.text for one in asked.conditions))
    timeline = Timeline(watched, drawn=True)
    gc.collect()
    gc.freeze()  # what is there now stays: the collector need not pass it at every sample
    with ExitStack() as stack:
        saved = NewFile(output.save, output.force) if output.save else None
        capture = WatchCapture(stack.enter_context(saved), watched) if saved else None
        stack.enter_context(sleep)
        try:
            _follow(under_way, timeline, asked, capture, stack, live)
        except Quit:
            under_way.ended = Ended("done", "q was pressed")
        except KeyboardInterrupt:
            under_way.ended = Ended("interrupted", "interrupted: this is what was seen until then")
        timeline.places += _places(eye, watched.begun)
        summary = timeline.summary(under_way.ended)
        if capture:
            capture.end(under_way.ended, summary)
    if not live and output.format == "terminal":
        emit("")
    said = [saved.said(capture.failure)] if saved and capture else []
    return telling.tell(reports.of_watch(timeline, summary), output, files, said, one_line=True)


def _places(eye: Observer, begun: float) -> list[Place]:
    """Which lines opened what is there now and was not when the watch began."""
    from hermes_diag.core.errors import HermesDiagError

    try:
        from hermes_diag.leakguard import boxes
        from hermes_diag.watch.opened import since

        seen = eye.look()
        origins = boxes.of_look(seen)
        return since(seen, origins, begun) if origins else []
    except (HermesDiagError, OSError):  # it has ended, or we have not one descriptor to spare
        return []


def _follow(under_way: Watch, timeline: Timeline, asked: Asked, capture: Any, stack: ExitStack, live: bool) -> None:
    """Take samples until there are no more, a condition holds, or nobody reads what is printed."""
    view = None
    if live:
        from hermes_diag.reporters import style
        from hermes_diag.reporters.sockets_live import View

        view = stack.enter_context(View(timeline, style.console(), asked.duration))
    for tick in under_way:
        if capture:
            capture.write(tick)
        timeline.add(tick)
        if view:
            view(tick)
        elif not _told(tick, asked.output, timeline.watched.begun):
            under_way.ended = Ended("done", "the reader has left")
            return
        if any(one.held for one in timeline.held.values()):
            under_way.ended = Ended("condition", "a condition of --fail-on holds")
            return


def _told(tick: Tick, output: Output, begun: float) -> bool:
    """Print a sample; False when nobody reads any more. Where the report is one document, it is all that is printed."""
    if output.format == "json":
        from hermes_diag.reporters import sockets_json

        return emit(sockets_json.sample(tick))
    if output.format == "terminal":
        from hermes_diag.reporters import sockets_watch

        return emit(sockets_watch.sample(tick, begun))
    return True
