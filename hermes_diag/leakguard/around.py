"""One test under watch: from before its first fixture to after its last."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.leakguard import hook, limits, message, origins, snapshot, wider
from hermes_diag.leakguard import leftovers as lefts
from hermes_diag.leakguard.left import Left
from hermes_diag.leakguard.limits import Limits
from hermes_diag.leakguard.settings import Settings
from hermes_diag.leakguard.snapshot import Held


class Guard:
    """Watches one test; `end` must be called. Raises CannotMeasure where it cannot look.

    judged: the limits that it is held to, None: it is only listed. settings: those of the run.
    """

    def __init__(self, item: pytest.Item, judged: Limits | None, settings: Settings) -> None:
        self._item, self._judged, self._settings = item, judged, settings
        self._passed = self._failed = False
        self._subtest_failed = False  # pytest says "call" of each subtest, and then that the test has passed
        self._awaited = False
        self._found: tuple[str, bool] | None = None  # why it fails, and whether for what it left
        self._blind: CannotMeasure | None = None
        self._unexpected: dict[str, Any] | None = None
        self._left = Left()
        snapshot.warm_up()
        self._before = snapshot.now()
        self._reserve: int | None = os.open(
            os.devnull, os.O_RDONLY
        )  # freed to look with when the test has used up all descriptors
        self._reserved = os.fstat(self._reserve).st_rdev
        self._openings = origins.Openings()
        self._watched_before = hook.watch(self._openings)

    def concerns(self, node: pytest.Item | pytest.Collector) -> bool:
        """Whether a node is this test or one that it stands in: a test may run pytest itself."""
        return node in self._item.listchain()

    def await_end(self) -> None:
        """Look after the fixtures of this test have ended, and before any of wider scope does.

        At the end of a module or a session those end in the same teardown, and may close what the test has left.
        """
        if not self._awaited:
            self._awaited = True
            self._item.addfinalizer(self._look)

    @contextlib.contextmanager
    def wider_scope(self) -> Iterator[None]:
        """What is opened in here belongs to a fixture of wider scope, and not to the test."""
        before = self._seen()
        try:
            with self._openings.paused():
                yield
        finally:
            if before and (after := self._seen()):
                self._before.admit(before, after)

    def _seen(self) -> Held | None:
        """What is held now; None when it cannot be seen, which makes the test an error at its end."""
        try:
            return snapshot.now()
        except CannotMeasure as exc:
            self._blind = exc
            return None

    def check(self) -> str:
        """After the last fixture: why the test fails, empty when it left no more than it may."""
        if self._found is None:
            self._look()
        assert self._found is not None
        why, self._failed = self._found
        return why

    def _look(self) -> None:
        self._free_reserve()
        try:
            if self._blind and self._passed:
                raise self._blind
            with _collector_rests():
                why = self._verdict()
            self._found = why, bool(why)
        except CannotMeasure as exc:  # could not look: the test must not pass
            blind = f"limit_sockets could not look: {exc.message}: {exc.hint}"
            self._found = blind if self._judged else "", False

    def _free_reserve(self) -> None:
        if self._reserve is not None:
            with contextlib.suppress(OSError):  # the test may have closed it and opened another with its number
                if os.fstat(self._reserve).st_rdev == self._reserved:
                    os.close(self._reserve)
            self._reserve = None

    def _verdict(self) -> str:
        self._measure()
        beyond = self._left.beyond(self._judged) if self._judged and self._passed else {}
        if not beyond or not self._judged:
            return ""
        marked = lefts.explained(self._left, self._before, self._openings, self._judged)
        return message.message(marked, beyond, self._item.config.rootpath)

    def _measure(self) -> None:
        """The traceback of a failed test keeps its sockets open: nothing is said of them."""
        if self._passed:
            self._left = lefts.settled(self._before, self._openings, self._judged or self._settings.default)
            wider.succeed(dict(self._left.replaced))
            if self._left.threads:
                lefts.blame(self._before, self._openings)

    def end(self) -> None:
        """Stop watching."""
        self._free_reserve()
        hook.watch(self._watched_before)
        self._openings.collected.end()

    def note(self, report: pytest.TestReport) -> None:
        """Put onto a report what the terminal, perhaps in another process, is to show."""
        if report.when == "call":
            self._note_call(report)
        elif report.when == "teardown":
            self._note_teardown(report)

    def _note_call(self, report: pytest.TestReport) -> None:
        """A pass is reported only after the teardown, and so is an expected failure that did not come."""
        unexpected = _passed_unexpectedly(report)
        self._subtest_failed = self._subtest_failed or (report.failed and unexpected is None)
        self._passed = not self._subtest_failed and (report.passed or unexpected is not None)
        if not self._judged or not self._passed:
            return
        self._unexpected = unexpected
        if unexpected is not None:
            report.outcome, report.longrepr = "passed", None
            vars(report).pop("wasxfail", None)
        vars(report)["limit_sockets_verdict"] = "later"

    def _note_teardown(self, report: pytest.TestReport) -> None:
        if self._settings.report and self._left.sockets:
            vars(report)["limit_sockets_left"] = self._listed()
        if not self._judged or not self._passed:
            return
        if self._unexpected is not None and not self._failed:
            vars(report).pop("wasxfail", None)
            vars(report).update(self._unexpected)
            vars(report)["limit_sockets_verdict"] = "failed" if report.failed else None
        elif report.passed:
            vars(report)["limit_sockets_verdict"] = "passed"
        elif report.failed and self._failed:
            vars(report)["limit_sockets_verdict"] = "failed"
        elif report.failed and self._found == ("", False):  # a fixture failed at its end, and nothing is left
            vars(report)["limit_sockets_verdict"] = "passed before"

    def _listed(self) -> dict[str, Any]:
        root = self._item.config.rootpath
        places = [message.place(one.opening, root) for one in self._left.sockets]
        return {
            "count": len(self._left.sockets),
            "states": message.summary(self._left),
            "places": list(dict.fromkeys(filter(None, places))),
        }


@contextlib.contextmanager
def _collector_rests() -> Iterator[None]:
    """What the test has left for the garbage collector stays until it has been told: while we look, our own objects
    could set the collector off, and its warnings would come in the place of the verdict."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _passed_unexpectedly(report: pytest.TestReport) -> dict[str, Any] | None:
    """The fields that say so, of the call of a test marked xfail that has passed; None of any other."""
    strict = report.failed and isinstance(report.longrepr, str) and report.longrepr.startswith("[XPASS(strict)]")
    if not strict and not (report.passed and hasattr(report, "wasxfail")):
        return None
    return {name: value for name, value in vars(report).items() if name in ("outcome", "longrepr", "wasxfail")}


def begin(item: pytest.Item, marker: pytest.Mark | None, settings: Settings | None) -> Guard | None:
    """Watch a test, unless that is switched off. Raises UsageError (its marker) or CannotMeasure."""
    settings = settings or Settings()
    judged = None
    if settings.which == "all" or (marker is not None and settings.which != "off"):
        judged = _limits(item, marker, settings.default)
    if judged is not None:
        return Guard(item, judged, settings)
    with contextlib.suppress(CannotMeasure):  # a test that is only listed does not fail
        return Guard(item, judged, settings) if settings.report else None
    return None


def _limits(item: pytest.Item, marker: pytest.Mark | None, default: Limits) -> Limits:
    if marker is None:
        return default
    source = f"limit_sockets of {item.nodeid}"
    if marker.args:
        raise UsageError(f"{source}: {marker.args[0]!r} has no name", "give NAME=VALUE, for example leaked=1")
    return limits.changed(default, _given(marker.kwargs), source)


def _given(kwargs: Mapping[str, object]) -> dict[str, object]:
    """remote=None means the same as no remote."""
    return {name: () if name == "remote" and value is None else value for name, value in kwargs.items()}
