"""One look and a watch of a live process: what `hermes-diag sockets` does once its options are checked."""

from __future__ import annotations

import gc
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hermes_diag.cli.keyboard import Quit, Sleep
from hermes_diag.cli.terminal import emit, is_live, paint, width
from hermes_diag.core.status import Status
from hermes_diag.watch.records import Ended

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hermes_diag.cli.options.output import Output
    from hermes_diag.watch.fail_on import Condition
    from hermes_diag.watch.observer import Observer
    from hermes_diag.watch.records import Held, Summary
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


def look(eye: Observer, asked: Asked) -> int:
    """Take one look and print it; the exit code."""
    seen = eye.look()
    told = None
    if asked.attach:
        from hermes_diag.leakguard.attach.ask import ask

        told = ask(eye.pid)
    names: dict[str, str] = {}
    if asked.resolve:
        from hermes_diag.cli.names import reverse

        names = reverse({row.remote[0] for row in seen.rows if row.remote[1]})
    held = []
    if asked.conditions:
        from hermes_diag.watch import fail_on
        from hermes_diag.watch.tracker import once

        held = [fail_on.at_tick(one, once(seen)) for one in asked.conditions]
    status = _status(held)
    if asked.output.json:
        from hermes_diag.reporters import sockets_attached, sockets_json

        more = {"attached": sockets_attached.document(told, seen)} if told else {}
        emit(sockets_json.look(seen, held, status, names, **more))
    else:
        from hermes_diag.reporters import sockets_text

        lines = sockets_text.look(seen, width(), asked.group_by, asked.output.verbose, names)
        if told:
            from hermes_diag.reporters import sockets_attached

            lines += sockets_attached.text(told, seen, width(), asked.output.verbose)
        if held:
            lines += ["", *sockets_text.conditions(held, width())]
        emit(paint(lines))
    return status.exit_code


def _status(held: list[Held]) -> Status:
    if any(one.held for one in held):
        return Status.FAILING
    return Status.COULD_NOT_TELL if any(one.held is None for one in held) else Status.CLEAN


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
    timeline = Timeline(watched)
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
        summary = timeline.summary(under_way.ended)
        if capture:
            capture.write(under_way.ended)
            for held in summary.conditions:
                capture.write(held)
    if not live and not output.json:
        emit("")
    _tell(summary, output)
    if capture:
        failed = capture.failure and f"could not be saved to {output.save}: {capture.failure}"
        sys.stderr.write(f"{failed or f'saved to {output.save}'}\n")
    return summary.exit_code


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
