"""What a fleet is doing, as metrics of Prometheus: one family for each number, with the target's name as a label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, StateSetMetricFamily

from hermes_diag.core.sockets import ESTABLISHED
from hermes_diag.core.status import Status
from hermes_diag.core.text import escaped, without_commands
from hermes_diag.watch.fleet import Fleet, Target, by_remote, largest

_LABELS = ("target", "pid")
#: Name, help, and how it is read; None: it is not known, and not said.
_GAUGES: tuple[tuple[str, str, Callable[[Target], float | None]], ...] = (
    ("close_wait_oldest_seconds", "How long the oldest socket in CLOSE_WAIT is in it at least.", Target.oldest),
    ("unread_bytes", "Bytes that wait to be read, of all sockets.", Target.unread),
    ("fds", "Open descriptors.", lambda one: one.tick.fds if one.tick else None),
    ("fds_limit", "Soft limit of descriptors.", lambda one: one.tick.limit if one.tick else None),
    ("threads", "Threads.", lambda one: one.tick.threads if one.tick else None),
    ("resident_bytes", "Resident memory.", lambda one: one.tick.rss if one.tick else None),
    (
        "ownerless_sockets",
        "ESTABLISHED sockets whose descriptor was closed while a thread still reads.",
        lambda one: one.tick.unowned.get(ESTABLISHED, 0) if one.tick else None,
    ),
    ("closed_sockets", "Sockets that are only a descriptor: reset.", lambda one: one.tick.closed if one.tick else None),
    ("sample_late_seconds", "How much later than due the last sample was taken.", lambda one: one.late),
)


class Collector:
    """What prometheus_client asks at each scrape. most: remote endpoints that have labels of their own."""

    def __init__(self, fleet: Fleet, most: int) -> None:
        self._fleet, self._most = fleet, most

    def describe(self) -> list[Metric]:
        return []  # else prometheus_client would collect once to learn the names

    def collect(self) -> Iterator[Metric]:
        targets = list(self._fleet.targets.values())
        up = _gauge("up", "1: the process is looked at. 0: it has ended, or may not be looked at.")
        errors = CounterMetricFamily("hermes_diag_sample_errors", "Samples that could not be taken.", labels=_LABELS)
        for one in targets:
            up.add_metric(_names(one), float(one.up))
            errors.add_metric(_names(one), one.errors)
        yield from (up, errors)
        live = [one for one in targets if one.up]
        for name, text, read in _GAUGES:
            family = _gauge(name, text)
            for one in live:
                if (value := read(one)) is not None:
                    family.add_metric(_names(one), value)
            yield family
        yield self._sockets(live)
        yield self._opened(live)
        yield from _judged(live)

    def _sockets(self, live: list[Target]) -> Metric:
        family = GaugeMetricFamily(
            "hermes_diag_sockets", "TCP sockets by state and remote endpoint.", labels=(*_LABELS, "state", "remote")
        )
        for one in live:
            found = Counter[tuple[str, str]]()  # two that look alike now are one
            for (state, remote), count in by_remote(one.tick, self._most).items() if one.tick else ():
                found[_text(state), _text(remote)] += count
            for labels_, count in sorted(found.items()):
                family.add_metric((*_names(one), *labels_), count)
        return family

    def _opened(self, live: list[Target]) -> Metric:
        family = GaugeMetricFamily(
            "hermes_diag_sockets_opened_at", "TCP sockets by the line that opened them.", labels=(*_LABELS, "line")
        )
        for one in live:
            found = Counter[str]()
            for line, count in largest(one.places, self._most).items():
                found[_text(line)] += count
            for line, count in sorted(found.items()):
                family.add_metric((*_names(one), line), count)
        return family


def _judged(live: list[Target]) -> Iterator[Metric]:
    """Growth with its interval, the time to the limit, and the verdict, of the last hours."""
    labels = (*_LABELS, "of")
    growth = GaugeMetricFamily("hermes_diag_growth_per_hour", "Growth, 0 where nothing grows.", labels=labels)
    low = GaugeMetricFamily("hermes_diag_growth_per_hour_low", "Low end of the growth's interval.", labels=labels)
    high = GaugeMetricFamily("hermes_diag_growth_per_hour_high", "High end of the growth's interval.", labels=labels)
    left = _gauge("limit_seconds", "Seconds until the limit of descriptors at this rate; absent: it does not grow.")
    verdict = StateSetMetricFamily("hermes_diag_verdict", "What the watch says.", labels=_LABELS)
    for one in live:
        found = one.summary
        if found is None:
            continue
        for course in found.courses:
            names = (*_names(one), course.name)
            growth.add_metric(names, (course.per_hour or 0.0) if course.word == "growing" else 0.0)
            for family, value in ((low, course.per_hour_low), (high, course.per_hour_high)):
                if course.word == "growing" and value is not None:
                    family.add_metric(names, value)
        if found.until_limit is not None:
            left.add_metric(_names(one), found.until_limit)
        verdict.add_metric(_names(one), {status.value: found.status is status for status in Status})
    yield from (growth, low, high, left, verdict)


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"hermes_diag_{name}", text, labels=_LABELS)


def _names(one: Target) -> tuple[str, str]:
    return _text(one.found.name), str(one.found.pid)


def _text(name: str) -> str:
    r"""A name of a process or a file as a label: what cannot be printed as \x1b, its bytes that are no UTF-8 as \udc..,
    or there would be no answer. An end of a line is escaped by the format."""
    return without_commands("\n".join(map(escaped, name.split("\n"))))
