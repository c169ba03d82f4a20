"""One HTML page for people: verdict, pictures of every connection, findings; needs no network."""

from __future__ import annotations

from hermes_diag.core.report import Report
from hermes_diag.watch.reports import WatchReport

ENDING = ".html"


def render(report: Report, width: int, verbose: bool) -> str:
    """The page. What it takes is imported here: the name of a format is asked for at each start."""
    from hermes_diag.reporters.page import build, watches, write

    if isinstance(report, WatchReport):
        return write.text(watches.page(report.summary, report.picture))
    return write.text(build.page(report))
