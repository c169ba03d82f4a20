"""One HTML page for people: verdict, pictures of every connection, findings; needs no network."""

from __future__ import annotations

from hermes_diag.core.escape import fields_of
from hermes_diag.core.report import Report
from hermes_diag.core.text import without_commands
from hermes_diag.watch.reports import WatchReport

ENDING = ".html"


def render(report: Report, width: int, verbose: bool) -> str:
    """The page. What it takes is imported here: the name of a format is asked for at each start."""
    from hermes_diag.reporters.page import build, watches, write

    report = fields_of(report)
    page = watches.page(report.summary, report.picture) if isinstance(report, WatchReport) else build.page(report)
    return without_commands(write.text(page), "&#58;", "&#35;")
