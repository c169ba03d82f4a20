"""What the page of a gateway's log says: its counts over time, beside them what a watch saw, as one picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from markupsafe import Markup

from hermes_diag.core import units
from hermes_diag.core.agent_log import LogReport
from hermes_diag.core.status import Status
from hermes_diag.reporters import logs
from hermes_diag.reporters.page.svg import Time, axis, element, heights, joined, levels
from hermes_diag.reporters.page.view import STATUS, Chart, Folded, Page, Section, Table, badge, entries
from hermes_diag.reporters.picture import Curve
from hermes_diag.reporters.sockets_text import painted

#: Of one number in the picture, with the line of its name; columns of what is shown as a terminal shows it.
LANE, NAME, COLUMNS = 56, 20, 100
_LEGEND = {
    "established": ("established", "in the log", "lines about clients, attempts or turns"),
    "close-wait": ("close-wait", "in the log, of what goes wrong", "aborts that closed nothing, failures, retries"),
    "other": ("other", "seen by the watch", "the highest number of sockets, descriptors or threads"),
}
_BAD = ("nothing closed", "failures", "retries")


def of_log(report: LogReport, found: Page) -> Page:
    """The page of any report, with what only a log has."""
    return replace(
        found,
        headline=_headline(report),
        sections=[_section(report)] if len(report.buckets) > 1 and logs.curves(report) else (),
        unpictured="" if report.buckets else "There is nothing to draw: the log has no line about clients or turns.",
        pictures="The log in pictures",
        folded=tuple(_folded(report)),
        notes=[f"The log's time jumps at {logs.moment(report, one.at)}: {one.what}." for one in report.clock]
        + list(report.notes),
        measured="What it was read from",
    )


def _headline(report: LogReport) -> str:
    if report.status == Status.COULD_NOT_TELL:
        return "The log does not tell what became of the clients."
    if report.status == Status.CLEAN:
        return "The log shows nothing wrong: every client came to an end."
    left = report.clients.stranded + report.clients.aborted_unclosed + report.clients.endless
    return f"Clients were left: {left:,} of {report.clients.created:,} were never closed by the thread that had them."


def _section(report: LogReport) -> Section:
    begin = logs.moment(report, report.buckets[0].begin)
    curves = logs.curves(report)
    names = ", ".join(f"{one.name} up to {one.peak:,}" for one in curves)
    kinds = dict.fromkeys(_kind(one) for one in curves)
    chart = Chart(
        "log-time",
        "Over time",
        f"From {begin} on, by {units.duration(report.bucket_seconds)}: {names}.",
        [_LEGEND[kind] for kind in kinds],
        _table(report),
        _drawn(report, curves, f"Counts over time from {begin}: {names}"),
        points="\n".join(_points(report)),
    )
    return Section("log", "The log", badge(report.status, STATUS[report.status]), [], [chart], True)


def _kind(curve: Curve) -> str:
    return "close-wait" if curve.name in _BAD else "other" if "watch" in curve.name else "established"


def _drawn(report: LogReport, curves: list[Curve], said: str) -> Markup:
    """A lane for each number, each as high as its peak, over one axis of time."""
    begin, width = report.buckets[0].begin, report.bucket_seconds
    time = Time(0.0, len(report.buckets) * width)
    bottom = len(curves) * (LANE + NAME)
    parts = [axis(time, bottom)]
    for number, curve in enumerate(curves):
        top = heights(max(1, curve.peak))[-1:]
        lane = [
            element("text", curve.name, class_="barrier-name", x=0, y=-5),
            levels(top, LANE),
            *_bars(curve, time, begin, width, top[-1]),
            element("line", class_="base", x1=0, x2="100%", y1=LANE, y2=LANE),
        ]
        parts.append(element("svg", *lane, x=0, y=number * (LANE + NAME) + NAME, width="100%", overflow="visible"))
    return element(
        "svg", joined(parts), class_="plot", width="100%", height=bottom + 18, role="img", aria_label=said
    )  # fmt: skip


def _bars(curve: Curve, time: Time, begin: float, width: float, top: int) -> Iterator[Markup]:
    for at, value in curve.points:
        if value:
            height = LANE * value / top
            yield element(
                "rect", class_=f"area {_kind(curve)}", x=time.x(at - begin), y=f"{LANE - height:.1f}",
                width=time.width(at - begin, at - begin + width), height=f"{height:.1f}",
            )  # fmt: skip


def _points(report: LogReport) -> Iterator[str]:
    """What can be read at each part of the time: `PER CENT|TEXT`."""
    for number, one in enumerate(report.buckets):
        counts = [f"{said} {one.counts[name]:,}" for name, said in logs.COLUMNS if one.counts[name]]
        counts += [f"{name} {high:,}" for name, high in one.highs.items() if high is not None]
        at = logs.moment(report, one.begin, short=True)
        yield f"{100 * number / len(report.buckets):.2f}|{at}: {', '.join(counts) or 'nothing'}"


def _table(report: LogReport) -> Table:
    parts = logs.grouped(report.buckets, 60)
    highs = list(parts[0].highs)
    rows = [
        entries(
            logs.moment(report, one.begin),
            *(f"{one.counts[name]:,}" for name, _ in logs.COLUMNS),
            *("not seen" if (high := one.highs[name]) is None else f"{high:,}" for name in highs),
        )
        for one in parts
    ]
    return Table(("from", *(said for _, said in logs.COLUMNS), *highs), rows)


def _folded(report: LogReport) -> Iterator[Folded]:
    shown = painted(logs.lines(report, COLUMNS, verbose=True), colour=False)
    yield Folded("As a terminal shows it", text=shown, unfolded=True)
    rows = [entries(one.name, units.size(one.size), one.encoding, one.trouble) for one in report.files]
    yield Folded("Files", table=Table(("file", "size", "encoding", "trouble"), rows))
