"""A watch of a live process: what `hermes-diag sockets --watch` does once its options are checked."""

from __future__ import annotations

import gc
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hermes_diag.cli.keyboard import Quit, Sleep
from hermes_diag.cli.terminal import emit, is_live, paint, width
from hermes_diag.watch.records import Ended

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hermes_diag.cli.options.output import Output
    from hermes_diag.watch.fail_on import Condition
    from hermes_diag.watch.observer import Observer
    from hermes_diag.watch.records import Place, Summary
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
    from hermes_diag.core.jsonl import create
    from hermes_diag.watch.capture import WatchCapture
    from hermes_diag.watch.timeline import Timeline
    from hermes_diag.watch.watch import Watch

    output = asked.output
    live = not output.json and is_live()
    sleep = Sleep(keys=live)
    under_way = Watch(eye, asked.interval, asked.duration, asked.count, sleep)
    watched = under_way.watched(asked.states, asked.remotes, tuple(one.text for one in asked.conditions))
    timeline = Timeline(watched, drawn=True)
    gc.collect()
    gc.freeze()  # what is there now stays: the collector need not pass it at every sample
    with ExitStack() as stack:
        capture = None
        if output.save:
            capture = WatchCapture(stack.enter_context(create(output.save, output.force)), watched)
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
    if not live and not output.json:
        emit("")
    _tell(summary, output)
    if capture:
        failed = capture.failure and f"could not be saved to {output.save}: {capture.failure}"
        sys.stderr.write(f"{failed or f'saved to {output.save}'}\n")
    return summary.exit_code


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
    from hermes_diag.reporters import sockets_json, sockets_watch

    view = None
    if live:
        from rich.console import Console

        from hermes_diag.reporters.sockets_live import View

        view = stack.enter_context(View(timeline, Console(highlight=False), asked.duration))
    for tick in under_way:
        if capture:
            capture.write(tick)
        timeline.add(tick)
        if view:
            view(tick)
        elif not emit(
            sockets_json.sample(tick) if asked.output.json else sockets_watch.sample(tick, timeline.watched.begun)
        ):
            under_way.ended = Ended("done", "the reader has left")
            return
        if any(one.held for one in timeline.held.values()):
            under_way.ended = Ended("condition", "a condition of --fail-on holds")
            return


def _tell(summary: Summary, output: Output, indent: bool = False) -> None:
    from hermes_diag.reporters import sockets_json, sockets_watch

    if output.json:
        emit(sockets_json.summary(summary, indent))
    else:
        emit(paint(sockets_watch.summary(summary, width(), output.verbose)))


def tell_again(path: Path, output: Output) -> int:
    """Judge and print a saved watch, for `hermes-diag report`; the exit code."""
    from hermes_diag.core.errors import UsageError
    from hermes_diag.watch import capture

    if output.files:
        raise UsageError("--output is for runs and checks; this file is of a watch", "use --json, or leave it out")
    timeline, ended = capture.read(path)
    summary = timeline.summary(ended)
    _tell(summary, output, indent=True)
    return summary.exit_code
