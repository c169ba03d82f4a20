"""One HTML page for people: verdict, pictures of every connection, findings; needs no network."""

from __future__ import annotations

from hermes_diag.core.report import Report

ENDING = ".html"


def render(report: Report, width: int, verbose: bool) -> str:
    """The page. What it takes is imported here: the name of a format is asked for at each start."""
    from hermes_diag.reporters.page import build, write

    return write.text(build.page(report))
