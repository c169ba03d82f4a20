"""A CheckReport as JUnit XML, as Jenkins' junit-10.xsd has it: a test case for each promise, workload and limit.

Failed: a failure. Could not tell: an error. Allowed, known, not applicable: skipped, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from hermes_diag.core.report import ALLOWED, FAILED, KNOWN, NOT_APPLICABLE, PASSED, UNKNOWN, CheckReport, CheckRow
from hermes_diag.reporters.check import details
from hermes_diag.reporters.terminal import stack_line

#: The elements of a case, the worst status first: a case is as bad as the worst of its rows, and shows those.
_ELEMENTS = {FAILED: "failure", UNKNOWN: "error", ALLOWED: "skipped", KNOWN: "skipped", NOT_APPLICABLE: "skipped"}
_COUNTS = {"tests": ".", "failures": "failure", "errors": "error", "skipped": "skipped"}
#: What XML 1.0 has no way to write.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: CheckReport) -> str:
    """The document, with its declaration and a final newline. Encode it as UTF-8."""
    suite = ET.Element("testsuite", name=_text(f"hermes-diag check {report.spec}"))
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(report):
        ET.SubElement(properties, "property", name=name, value=_text(value))
    for (kind, name), rows in groupby(report.rows, key=lambda row: (row.kind, row.name)):
        suite.append(_case(kind, name, list(rows)))
    for attribute, element in _COUNTS.items():
        count = sum(case.find(element) is not None for case in suite.findall("testcase"))
        suite.set(attribute, str(count))
    suites = ET.Element("testsuites", {name: suite.attrib[name] for name in ("tests", "failures", "errors")})
    suites.append(suite)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _properties(report: CheckReport) -> Iterator[tuple[str, str]]:
    yield "verdict", report.verdict
    if report.stack:
        yield "stack", stack_line(report.stack)
    for name, value, source in report.settings:
        yield name, f"{value} (from {source})"


def _case(kind: str, name: str, rows: Sequence[CheckRow]) -> ET.Element:
    case = ET.Element("testcase", classname=f"hermes-diag.{kind}", name=_text(name))
    worst = next((status for status in _ELEMENTS if any(row.status == status for row in rows)), PASSED)
    for row in rows:
        if row.status == worst != PASSED:
            shown = ET.SubElement(
                case, _ELEMENTS[worst], type=row.code or row.status, message=_text(row.note or row.seen)
            )
            shown.text = _text("\n".join((row.what, *details(row))))
        if worst in (ALLOWED, KNOWN, NOT_APPLICABLE):
            break  # one reason to skip is enough
    return case


def _text(text: str) -> str:
    return _ILLEGAL.sub("?", text)
