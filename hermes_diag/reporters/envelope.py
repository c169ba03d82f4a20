"""The envelope of every JSON document: the same keys first, then the command's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hermes_diag.core.errors import OK

if TYPE_CHECKING:
    from hermes_diag.core.report import Report

SCHEMA = 1


def envelope(report: Report, **own: Any) -> dict[str, Any]:
    """The document of a report. own: what only its command has."""
    return {
        "schema": SCHEMA,
        "command": report.command,
        "subject": report.subject,
        "status": report.status,
        "verdict": report.verdict,
        "exit_code": report.exit_code,
        "interrupted": report.interrupted,
        "stack": report.stack,
        "findings": report.findings,
        "rows": report.rows,
        **own,
    }


def catalogue(command: str, **own: Any) -> dict[str, Any]:
    """The document of a command that lists something: it judges nothing."""
    return {
        "schema": SCHEMA,
        "command": command,
        "status": "clean",
        "exit_code": OK,
        "stack": None,
        "findings": [],
        **own,
    }
