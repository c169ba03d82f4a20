"""The whole report of each capture that is kept, as it was recorded: every status, number and sentence of it.

The captures are those of real runs (scripts/golden.py, scripts/golden_reports.py). HERMES_DIAG_GOLDEN=write writes
anew what they say, in tests/golden/reports/; look at what has changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import GOLDEN

from hermes_diag.cli import report
from hermes_diag.core.errors import UsageError
from hermes_diag.reporters.formats import json as document

REPORTS = GOLDEN / "reports"
#: Of a look only sockets are told, which nobody judges.
CAPTURES = [path for path in sorted(GOLDEN.rglob("*.jsonl*")) if not path.name.startswith("look")]
WIDTH = 120


def name_of(capture: Path) -> str:
    folder = "" if capture.parent in (GOLDEN, REPORTS) else f"{capture.parent.name}-"
    return folder + capture.name.partition(".jsonl")[0]


def lines(value: Any, indent: str = "", before: str = "", behind: str = "") -> Iterator[str]:
    """A document as text of which a change shows as few lines: what fits into one line stands in one."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(before) + len(line) < WIDTH or not isinstance(value, dict | list) or not value:
        yield f"{indent}{before}{line}{behind}"
        return
    is_dict = isinstance(value, dict)
    yield indent + before + "[{"[is_dict]
    items = [(f"{json.dumps(name)}: ", one) for name, one in value.items()] if is_dict else [("", one) for one in value]
    for number, (name, one) in enumerate(items, start=1):
        yield from lines(one, f"{indent} ", name, "," if number < len(items) else "")
    yield indent + "]}"[is_dict] + behind


def said(path: Path) -> str:
    """What `report` makes of a capture, without what it only repeats of it; the refusal where it cannot be judged."""
    try:
        found, notes = report.read(path)
    except UsageError as exc:
        return f"{exc.message}\n".replace(str(path), path.name)
    told = json.loads(document.line(found))
    for one, names in (
        (told, ("plan", "racy")),
        *((cell, ("plan", "turns", "samples")) for cell in told.get("cells", ())),
    ):
        for name in names:
            one.pop(name, None)
    said = [note.replace(str(path), path.name) for note in notes]
    return "".join(f"{line}\n" for line in (*said, *lines(told)))


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: name_of(path))
def test_a_report_is_as_recorded(path: Path) -> None:
    """Whatever is changed in the judgement shows here."""
    expected = REPORTS / f"{name_of(path)}.txt"
    found = said(path)
    if os.environ.get("HERMES_DIAG_GOLDEN") == "write":
        expected.write_text(found)
    assert found == expected.read_text()


def test_no_report_without_its_capture() -> None:
    """What is kept is compared."""
    assert {path.stem for path in REPORTS.glob("*.txt")} == set(map(name_of, CAPTURES))
