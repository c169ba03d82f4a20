"""For people: tables where there is room, colour where the terminal takes it."""

from __future__ import annotations

from hermes_diag.core.report import AuditReport, CheckReport, Report, RunReport, ScenariosReport
from hermes_diag.reporters import style

ENDING = ".txt"


def render(report: Report, width: int, verbose: bool) -> str:
    """The report for so many columns. Only the view of that kind of report is imported."""
    if isinstance(report, RunReport):
        from hermes_diag.reporters import matrix

        return style.printed(matrix.render(report, width, verbose), width)
    if isinstance(report, ScenariosReport):
        from hermes_diag.reporters import scenarios

        return style.printed(scenarios.render(report), width)
    from hermes_diag.reporters import rows

    if isinstance(report, AuditReport):
        return style.printed(rows.audit(report), width)
    assert isinstance(report, CheckReport)
    return style.printed(rows.check(report, verbose), width)
