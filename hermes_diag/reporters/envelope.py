"""The envelope of every JSON document: the same keys first, then the command's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from hermes_diag.core.errors import INTERRUPTED, OK
from hermes_diag.core.escape import json_bytes
from hermes_diag.core.text import without_commands

if TYPE_CHECKING:
    from hermes_diag.core.report import Report

SCHEMA = 1
#: What JSON may hold as it is and a terminal may not get: it stands within strings alone, so that it can be escaped in
#: the finished text.
_ODD = re.compile(r"[^\n\x20-\x7e]+")


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


def encoded(document: object, indent: bool = False) -> str:
    """A document as JSON that can be printed on a terminal, and in a job of CI; on one line unless indented.

    What a terminal would obey is escaped as JSON escapes it, so that it is read back as it was.
    """
    data = json_bytes(document)
    text = (msgspec.json.format(data, indent=2) if indent else data).decode()
    return without_commands(_ODD.sub(_escaped, text), "\\u003a", "\\u0023")


def _escaped(found: re.Match[str]) -> str:
    return "".join(one if one.isprintable() else _units(one) for one in found[0])


def _units(char: str) -> str:
    r"""`\u202e`; above U+FFFF two of them."""
    code = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{code[at : at + 4]}" for at in range(0, len(code), 4))


def failure(command: str, message: str, cure: str, exit_code: int) -> dict[str, Any]:
    """The document of a command that ended with an error, and has no report."""
    return {
        "schema": SCHEMA,
        "command": command,
        "subject": "",
        "status": "could not tell",
        "verdict": message,
        "exit_code": exit_code,
        "interrupted": exit_code == INTERRUPTED,
        "stack": None,
        "findings": [],
        "rows": [],
        "error": {"message": message, "cure": cure},
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
