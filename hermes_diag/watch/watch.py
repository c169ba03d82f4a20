"""Watches a live process: looks at absolute times, until an end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from hermes_diag.core.errors import CannotMeasure
from hermes_diag.watch import process
from hermes_diag.watch.observer import Observer
from hermes_diag.watch.records import Ended, Tick, Watched
from hermes_diag.watch.still import Still
from hermes_diag.watch.tracker import Tracker

#: Sockets at a time whose lives are followed one by one, for the picture of the watch.
TOLD = 500


def following(due: float, interval: float) -> float:
    """When the next sample is due: a whole number of intervals after the first; those missed are left out."""
    return due + interval * max(1, -(-(time.monotonic() - due) // interval))


class Watch:
    """A watch of one process. Iterate over it for its samples; `ended` says why there are no more.

    interval: seconds from sample to sample. duration, count: when to stop; None is never.
    """

    def __init__(
        self,
        eye: Observer,
        interval: float,
        duration: float | None = None,
        count: int | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._eye = eye
        self._interval = interval
        self._duration = duration
        self._count = count
        self._sleep = sleep
        self._tracker = Tracker(eye.children, TOLD)
        self.ended = Ended("interrupted")  # until it is known better
        self.look = eye.look()  # the latest

    def watched(
        self, states: tuple[str, ...] = (), remotes: tuple[str, ...] = (), conditions: tuple[str, ...] = ()
    ) -> Watched:
        """What this is a watch of."""
        look = self.look
        return Watched(
            pid=self._eye.pid,
            name=look.processes[0].name,
            started=look.processes[0].started,
            begun=look.at,
            interval=self._interval,
            backend=look.backend,
            why=look.why,
            children=self._eye.children,
            states=states,
            remotes=remotes,
            missing=look.missing,
            conditions=conditions,
        )

    def __iter__(self) -> Iterator[Tick]:
        begun = due = time.monotonic()
        yield self._tracker.tick(self.look, 0.0, 0.0)
        taken, still = 1, Still()
        while taken != self._count:
            due = following(due, self._interval)
            if self._duration is not None and due - begun > self._duration + 1e-9:
                break
            self._sleep(max(0.0, due - time.monotonic()))
            at = time.monotonic()
            try:
                self.look = self._eye.look(info=False)
                same = self._eye.is_same()
            except process.Ended as exc:
                self.ended = Ended("exited", exc.message)
                return
            except CannotMeasure as exc:
                self.ended = Ended("lost", exc.message)
                return
            except OSError as exc:  # none of our descriptors is left, /proc is gone
                self.ended = Ended("lost", f"the system refused: {exc.strerror or type(exc).__name__}")
                return
            if not same:
                why = f"process {self._eye.pid} has ended, and its PID now belongs to another process"
                self.ended = Ended("replaced", why)
                return
            taken += 1
            yield self._tracker.tick(self.look, at - begun, max(0.0, at - due), still.since(due, self.look))
        self.ended = Ended("done")
