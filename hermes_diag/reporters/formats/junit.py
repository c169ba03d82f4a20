"""JUnit XML, as Jenkins' junit-10.xsd has it: a test case for each row.

Failed: a failure. Could not tell: an error. Allowed, known, not applicable: skipped, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET  # nosec B405

from hermes_diag.core.escape import fields_of
from hermes_diag.core.report import CheckReport, Report, Row
from hermes_diag.core.status import RowStatus
from hermes_diag.core.text import without_commands
from hermes_diag.reporters.rows import details
from hermes_diag.reporters.style import stack_line

ENDING = ".xml"

#: The element in a case that did not pass.
_ELEMENTS = {
    RowStatus.FAILED: "failure",
    RowStatus.COULD_NOT_TELL: "error",
    RowStatus.ALLOWED: "skipped",
    RowStatus.KNOWN: "skipped",
    RowStatus.NOT_APPLICABLE: "skipped",
}
_COUNTS = {"tests": ".", "failures": "failure", "errors": "error", "skipped": "skipped"}


def render(report: Report, width: int, verbose: bool) -> str:
    """The document with its declaration. Encode it as UTF-8. What XML has no way to write is escaped beforehand."""
    report = fields_of(report)
    suite = ET.Element("testsuite", name=f"hermes-diag {report.command} {report.subject}")
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(report):
        ET.SubElement(properties, "property", name=name, value=value)
    suite.extend(map(_case, report.rows))
    for attribute, element in _COUNTS.items():
        count = sum(case.find(element) is not None for case in suite.findall("testcase"))
        suite.set(attribute, str(count))
    suites = ET.Element("testsuites", {name: suite.attrib[name] for name in ("tests", "failures", "errors")})
    suites.append(suite)
    ET.indent(suites)
    text = '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"
    return without_commands(text, "&#58;", "&#35;")


def _properties(report: Report) -> Iterator[tuple[str, str]]:
    yield "verdict", report.verdict
    if report.stack:
        yield "stack", stack_line(report.stack)
    for name, value, source in report.settings if isinstance(report, CheckReport) else ():
        yield name, f"{value} (from {source})"


def _case(row: Row) -> ET.Element:
    name = f"{row.name}: {row.code}" if row.code and row.code != row.name else row.name
    case = ET.Element("testcase", classname=f"hermes-diag.{row.kind}", name=name)
    if row.status in _ELEMENTS:
        message = row.note or row.seen
        shown = ET.SubElement(case, _ELEMENTS[row.status], type=row.code or row.status, message=message)
        shown.text = "\n".join((row.what, *details(row)))
    return case
