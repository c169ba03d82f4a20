"""A whole look for people, as lines of text: the sockets, who opened and who holds them, the conditions."""

from __future__ import annotations

from hermes_diag.reporters import sockets_text
from hermes_diag.watch.reports import LookReport


def lines(report: LookReport, width: int, verbose: bool) -> list[str]:
    """The look, then what recorders and the process itself say."""
    seen, origins = report.look, report.origins
    found = sockets_text.look(seen, width, report.group_by, verbose, report.names, origins)
    if origins:
        from hermes_diag.reporters import sockets_origins

        found += ["", *sockets_origins.section(seen, origins, width, verbose)]
    elif report.hint and sockets_text.next_step(seen, 0):
        found += sockets_text.fitted(report.hint, width)
    if report.attached:
        from hermes_diag.reporters import sockets_attached

        found += sockets_attached.text(report.attached, seen, width, verbose)
    if report.held:
        found += ["", *sockets_text.conditions(report.held, width)]
    return found
