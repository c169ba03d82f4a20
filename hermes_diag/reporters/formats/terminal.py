"""For people: tables where there is room, colour where the terminal takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hermes_diag.core import text
from hermes_diag.core.agent_log import LogReport
from hermes_diag.core.escape import fields_of
from hermes_diag.core.report import LearntReport
from hermes_diag.watch.reports import LookReport, TraceReport, WatchReport

if TYPE_CHECKING:
    from hermes_diag.core.report import Report

ENDING = ".txt"


def render(report: Report, width: int, verbose: bool, colour: bool = False, blocks: bool = True) -> str:
    """The report for so many columns. blocks: where it is printed there are block characters.

    Fields are escaped before they are laid out, finished lines once more.
    """
    return text.lines(_rendered(fields_of(report), width, verbose, colour, blocks))


def _rendered(report: Report, width: int, verbose: bool, colour: bool, blocks: bool) -> str:
    """Only the view of that kind of report is imported."""
    if isinstance(report, (LookReport, WatchReport, TraceReport, LearntReport, LogReport)):
        from hermes_diag.reporters.sockets_text import painted

        return painted(_lines(report, width, verbose, blocks), colour) + "\n"
    from hermes_diag.core.report import AuditReport, CheckReport, ComparedReport, RunReport, ScenariosReport
    from hermes_diag.core.trials import BisectReport, MatrixReport
    from hermes_diag.reporters import style

    if isinstance(report, (MatrixReport, BisectReport)):
        from hermes_diag.reporters import trials

        return style.printed(trials.render(report, width), width, colour)
    if isinstance(report, RunReport):
        from hermes_diag.reporters import matrix

        return style.printed(matrix.render(report, width, verbose), width, colour)
    if isinstance(report, ScenariosReport):
        from hermes_diag.reporters import scenarios

        return style.printed(scenarios.render(report), width, colour)
    if isinstance(report, ComparedReport):
        from hermes_diag.reporters import comparison

        return style.printed(comparison.render(report, width, verbose), width, colour)
    from hermes_diag.reporters import rows

    if isinstance(report, AuditReport):
        return style.printed(rows.audit(report), width, colour)
    assert isinstance(report, CheckReport)
    return style.printed(rows.check(report, verbose), width, colour)


def _lines(
    report: LookReport | WatchReport | TraceReport | LearntReport | LogReport, width: int, verbose: bool, blocks: bool
) -> list[str]:
    if isinstance(report, LookReport):
        from hermes_diag.reporters import sockets_look

        return sockets_look.lines(report, width, verbose)
    if isinstance(report, WatchReport):
        from hermes_diag.reporters import sockets_watch

        pictures = sockets_watch.pictures(report.summary, report.peaks, width, blocks)
        return sockets_watch.summary(report.summary, width, verbose, pictures)
    if isinstance(report, LogReport):
        from hermes_diag.reporters import logs

        return logs.lines(report, width, verbose, blocks)
    if isinstance(report, LearntReport):
        from hermes_diag.reporters import learnt

        return learnt.lines(report, width)
    from hermes_diag.reporters import trace

    return trace.lines(report, width, verbose)
